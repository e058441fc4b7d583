package schema

import (
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema/describe"
)

// Info is what an AsyncAPI document says that no event knows. The zero value of
// every field is usable.
type Info struct {
	Title       string // "": "Events"
	Version     string // of the events, as the application counts; "": "1.0.0"
	Description string // in Markdown
	Host        string // where the hub is reached, "shop.example:8443"; "": "localhost:8080"
	Path        string // of the hub's handler; "": "/ws"
	Insecure    bool   // ws instead of wss
	TokenParam  string // JWTConfig.QueryParam: "": "token"; "-": no token in the URL
	Cookie      string // JWTConfig.Cookie; "": none
}

func (i Info) normal() Info {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&i.Title, "Events")
	set(&i.Version, "1.0.0")
	set(&i.Host, "localhost:8080")
	set(&i.Path, "/ws")
	set(&i.TokenParam, "token")
	return i
}

// AsyncAPI returns an AsyncAPI 3.0 document in JSON, indented, of all that goes over
// a hub's WebSocket: a message for each event, in its envelope; the hub's own
// messages; what clients send; query parameters, ways to bring a token, and close
// codes. The errors are those of [Of].
func AsyncAPI(events usercast.Catalog, info Info) ([]byte, error) {
	d, err := describe.Of(events)
	if err != nil {
		return nil, err
	}
	return AsyncAPIFromDescription(d, info)
}

// AsyncAPIFromDescription is [AsyncAPI] for events that another program has
// described.
func AsyncAPIFromDescription(d *describe.Description, info Info) ([]byte, error) {
	info = info.normal()
	b := &builder{found: d, names: names(d.Types), refs: schemaRefs, strictRefs: true}
	defs := b.definitions()
	messages := map[string]message{}
	add := func(m message) (id string) {
		for id = messageID(m.Name); messages[id].Name != ""; {
			id += "_" // two names that differ in signs only, or an event that is called ping
		}
		messages[id] = m
		return id
	}
	var sent, received []string
	for _, m := range hubMessages(defs) {
		sent = append(sent, add(m))
	}
	for _, m := range clientMessages() {
		received = append(received, add(m))
	}
	for _, e := range d.Events {
		sent = append(sent, add(b.eventMessage(e)))
	}
	doc := document{
		AsyncAPI:           "3.0.0",
		Info:               about{info.Title, info.Version, info.Description},
		DefaultContentType: "application/json",
		Servers:            map[string]server{"hub": hubServer(info)},
		Channels:           map[string]channel{"user": userChannel(info, messages)},
		Operations:         operations(sent, received, messages),
		Components:         components{messages, defs, securitySchemes(info)},
	}
	return indent(doc)
}

const (
	schemaRefs  = "#/components/schemas/"
	messageRefs = "#/components/messages/"
)

// messageID is an event's name with what may stand in a key of the document.
func messageID(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '.' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, name)
}

// eventMessage is an event as it goes over the wire.
func (b *builder) eventMessage(e describe.Event) message {
	frame := envelope(e.Name, b.shape(e.Payload))
	frame.Properties.Set("timestamp", &jsonschema.Schema{Ref: timestampRef})
	frame.Required = append(frame.Required, "timestamp")
	if e.Class != usercast.Buffered.String() {
		frame.Properties.Set("class", &jsonschema.Schema{Type: "string", Const: e.Class})
		frame.Required = append(frame.Required, "class")
	}
	longest := uint64(usercast.MaxKeyBytes)
	key := &jsonschema.Schema{Type: "string", MaxLength: &longest, Description: "The thing that the event is about."}
	frame.Properties.Set("key", key)
	if e.Keyed {
		frame.Required = append(frame.Required, "key")
	}
	frame.Properties.Set("scope", scopeSchema())
	summary, _, _ := strings.Cut(e.Doc, "\n")
	return message{
		Name:        e.Name,
		Title:       e.Name,
		Summary:     summary,
		Description: strings.TrimSpace(e.Doc + "\n\n" + classNotes[e.Class]),
		Tags:        []tag{{Name: e.Class}},
		Payload:     frame,
	}
}

var classNotes = map[string]string{
	"buffered":  "Buffered: a device that was away for a short time receives it later.",
	"transient": "Transient: only devices that are connected receive it.",
	"latest":    "Latest: the newest value of its key is kept, and sent again to each device that connects.",
}

// envelope is the JSON of a message of a type.
func envelope(typ string, payload *jsonschema.Schema) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: []string{"type", "payload"}}
	s.Properties.Set("type", &jsonschema.Schema{Type: "string", Const: typ})
	s.Properties.Set("payload", payload)
	return s
}

func scopeSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Const: "all",
		Description: "There if the message is not of the user's own log but of the one for everyone (BroadcastAll), whose timestamps are compared among themselves."}
}

func hubServer(info Info) server {
	s := server{Host: info.Host, Protocol: "wss", ProtocolVersion: "13",
		Description: "A usercast hub. Offer the subprotocol usercast.v1 to be refused by close codes, which pages can see, instead of HTTP statuses, which they cannot."}
	if info.Insecure {
		s.Protocol = "ws"
	}
	for _, name := range []string{"bearer", "subprotocol", "query", "cookie"} {
		if _, ok := securitySchemes(info)[name]; ok {
			s.Security = append(s.Security, reference{"#/components/securitySchemes/" + name})
		}
	}
	return s
}

func securitySchemes(info Info) map[string]securityScheme {
	m := map[string]securityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "The token in the Authorization header."},
		"subprotocol": {Type: "httpApiKey", In: "header", Name: "Sec-WebSocket-Protocol",
			Description: "The token as subprotocol usercast.bearer.<base64url of the token>, beside usercast.v1: the only header that a page can choose."},
	}
	if info.TokenParam != "-" {
		m["query"] = securityScheme{Type: "httpApiKey", In: "query", Name: info.TokenParam,
			Description: "The token in the URL, which ends up in access logs."}
	}
	if info.Cookie != "" {
		m["cookie"] = securityScheme{Type: "httpApiKey", In: "cookie", Name: info.Cookie,
			Description: "The token in a cookie. The request must name an allowed origin."}
	}
	return m
}

// operations are the hub's: what it sends, and each message that it receives.
func operations(sent, received []string, messages map[string]message) map[string]operation {
	here := reference{"#/channels/user"}
	ofChannel := func(id string) reference { return reference{here.Ref + "/messages/" + id} }
	send := operation{Action: "send", Channel: here, Title: "What the user's devices hear"}
	for _, id := range sent {
		send.Messages = append(send.Messages, ofChannel(id))
	}
	ops := map[string]operation{"send": send}
	for _, id := range received {
		op := operation{Action: "receive", Channel: here, Title: messages[id].Title, Messages: []reference{ofChannel(id)}}
		if messages[id].Name == "ping" {
			op.Reply = &reply{here, []reference{ofChannel("pong")}}
		}
		ops["receive_"+strings.ReplaceAll(id, ".", "_")] = op
	}
	delete(ops, "receive_pong") // it is the answer to ping
	return ops
}

func userChannel(info Info, messages map[string]message) channel {
	c := channel{
		Address:     info.Path,
		Title:       "The connection of one device",
		Description: channelDescription(),
		Servers:     []reference{{"#/servers/hub"}},
		Messages:    map[string]reference{},
		CloseCodes:  closeCodes,
	}
	for id := range messages {
		c.Messages[id] = reference{messageRefs + id}
	}
	c.Bindings.WS = wsBinding{Method: "GET", Query: querySchema(info), BindingVersion: "0.1.0"}
	return c
}

func querySchema(info Info) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties()}
	add := func(name, pattern, description string) {
		s.Properties.Set(name, &jsonschema.Schema{Type: "string", Pattern: pattern, Description: description})
	}
	add("lastEventTs", "", "The last timestamp received, without scope: the device hears what came after it. RFC 3339 of any precision. What makes no sense is a gap, never an error.")
	add("epoch", "", "The epoch of the hub.hello of the connection in which lastEventTs was received. Another epoch is a gap.")
	add("lastGlobalTs", "", "The last timestamp received with scope all, or the globalTimestamp of hub.hello.")
	add("device", "^[A-Za-z0-9_-]{0,"+strconv.Itoa(usercast.MaxDeviceBytes)+"}$", "Names the device, so that events that it caused can leave it out.")
	if info.TokenParam != "-" {
		add(info.TokenParam, "", "The token, if it is not brought in another way.")
	}
	return s
}
