package schema

import (
	"fmt"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/usercast-go/usercast"
)

// timestampName cannot be a Go type's name: those have no dots.
const (
	timestampName = "hub.timestamp"
	timestampRef  = schemaRefs + timestampName
)

// hubMessages are the hub's own, and puts what they share into defs.
func hubMessages(defs jsonschema.Definitions) []message {
	defs[timestampName] = &jsonschema.Schema{Type: "string", Format: "date-time",
		Pattern:     `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$`,
		Description: "RFC 3339 in UTC with six digits of a second: strictly increasing for each scope, so strings compare. A device resumes by the last one it received."}
	stamp := func(frame *jsonschema.Schema) *jsonschema.Schema {
		frame.Properties.Set("timestamp", &jsonschema.Schema{Ref: timestampRef})
		return frame
	}
	empty := func() *jsonschema.Schema { return &jsonschema.Schema{Type: "null"} }
	gap := stamp(envelope("hub.gap", object("reason", reasons())))
	gap.Properties.Set("scope", scopeSchema())
	return []message{
		hubMessage("Always the first", "Where the connection starts, and whether it goes on from the cursor that it was opened with.", stamp(envelope("hub.hello", helloPayload()))),
		hubMessage("Up to date", "Everything missed has been sent.", stamp(envelope("hub.live", empty()))),
		hubMessage("Something is missing", "Events up to its timestamp are missing: fetch your state again.", gap),
		hubMessage("A sign of life", "Sent after a time of silence (hub.hello says how long), as pages cannot see ping frames.", stamp(envelope("hub.heartbeat", empty()))),
		hubMessage("The token ends soon", "Renew it by hub.auth, or be closed with 4401.", envelope("hub.expiring", object("expiresAt", &jsonschema.Schema{Ref: timestampRef}))),
	}
}

func hubMessage(summary, description string, frame *jsonschema.Schema) message {
	typ, _ := frame.Properties.Get("type")
	name := fmt.Sprint(typ.Const)
	return message{Name: name, Title: name, Summary: summary, Description: description, Tags: []tag{{Name: "hub"}}, Payload: frame}
}

// object has members that are all required: name, schema, name, schema, …
func object(members ...any) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties()}
	for i := 0; i < len(members); i += 2 {
		name := members[i].(string)
		s.Properties.Set(name, members[i+1].(*jsonschema.Schema))
		s.Required = append(s.Required, name)
	}
	return s
}

func reasons() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Enum: []any{usercast.GapEvicted, usercast.GapExpired,
		usercast.GapRestarted, usercast.GapUnknownCursor, usercast.GapLagged}}
}

func helloPayload() *jsonschema.Schema {
	text := func(description string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "string", Description: description}
	}
	count := func(description string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "integer", Minimum: "0", Description: description}
	}
	why := reasons()
	why.Enum = append(why.Enum, "")
	why.Description = "Why there is a gap; empty if there is none."
	verdict := &jsonschema.Schema{Type: "string", Enum: []any{usercast.Fresh, usercast.Resumed, usercast.Gap},
		Description: "fresh: no cursor was given. resumed: what was missed follows. gap: something of it is lost."}
	return object(
		"connectionId", text("Names this connection in the server's logs."),
		"device", text("The query parameter of that name."),
		"epoch", text("What cursors of this connection belong to: give it back to resume."),
		"verdict", verdict,
		"reason", why,
		"globalTimestamp", &jsonschema.Schema{Ref: timestampRef},
		"heartbeatMs", count("Milliseconds of silence before a hub.heartbeat."),
		"bufferSize", count("How many events are kept for each user."),
		"bufferTtlMs", count("For how many milliseconds."),
	)
}

// clientMessages are what devices send, and pong.
func clientMessages() []message {
	text := func(word, summary string) message {
		return message{Name: word, Title: word, Summary: summary, ContentType: "text/plain",
			Tags: []tag{{Name: "hub"}}, Payload: &jsonschema.Schema{Type: "string", Const: word}}
	}
	longest := uint64(3 << 10)
	token := &jsonschema.Schema{Type: "string", MaxLength: &longest, Description: "It must fit a message of 4 KiB."}
	auth := hubMessage("Renew the token", "The new token must be of the same user; one that is not good closes the connection.",
		envelope("hub.auth", object("token", token)))
	other := message{Name: "other", Title: "Anything else", Summary: "Goes to the application's Config.OnMessage, if there is one.",
		Description: "At most 4 KiB, as any message from a device. Text or binary, in whatever form the application wants.", Payload: &jsonschema.Schema{Description: "Whatever the application makes of it."}}
	return []message{text("ping", "Ask whether the hub is there"), text("pong", "It is"), auth, other}
}

// A closeCode says what a device should make of the end of its connection.
type closeCode struct {
	Code    int    `json:"code,omitempty"`
	Status  int    `json:"status,omitempty"` // of a refusal by HTTP
	Meaning string `json:"meaning"`
	Client  string `json:"client"`
}

var closeCodes = []closeCode{
	{usercast.CloseUnauthorized, 401, "token missing, invalid or ended", "fetch a token, then retry"},
	{usercast.CloseRevoked, 403, "disconnected by the server", "stop"},
	{usercast.CloseReplaced, 0, "too many connections of this user, and this was the oldest", "stop until the user acts"},
	{usercast.CloseHubFull, 429, "hub full", "retry with backoff"},
	{usercast.ClosePolicy, 400, "flood, or a malformed handshake", "retry with backoff"},
	{usercast.CloseTooBig, 0, "a message of over 4 KiB", "retry with backoff"},
	{usercast.CloseInternal, 500, "a callback of the application panicked", "retry with backoff"},
	{usercast.CloseRestarting, 503, "\"restarting; spreadMs=N\"", "retry after a random part of N ms"},
	{1013, 503, "authentication is unavailable", "retry with backoff"},
	{1006, 0, "anything else: a dead or too slow connection", "retry, resume"},
	{0, 403, "origin not allowed", "stop"},
	{0, 426, "not a WebSocket handshake", "stop"},
}

func channelDescription() string {
	var b strings.Builder
	b.WriteString("One JSON text message for each event of the device's user. " +
		"The first message is hub.hello, then come the events that the device has missed since its cursor, then hub.live, then events as they happen.\n\n" +
		"How a connection ends, or is refused (by close code if the device offers usercast.v1, else by HTTP status):\n\n" +
		"| close code | HTTP status | meaning | what the device does |\n|---|---|---|---|\n")
	for _, c := range closeCodes {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", number(c.Code), number(c.Status), c.Meaning, c.Client)
	}
	return b.String()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
