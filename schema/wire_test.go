package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema/internal/shop/orders"
)

// pipes is a listener in memory, for synctest.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// wireValidators compiles the payload of each message of the AsyncAPI document,
// closed against members that it does not name.
func wireValidators(t *testing.T) map[string]*validator.Schema {
	t.Helper()
	text, err := AsyncAPI(usercast.Defined(), Info{})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	seal(doc)
	c := validator.NewCompiler()
	c.DefaultDraft(validator.Draft7) // as AsyncAPI reads them
	c.AssertFormat()
	if err := c.AddResource("mem:doc", doc); err != nil {
		t.Fatal(err)
	}
	all := map[string]*validator.Schema{}
	for id, m := range doc.(map[string]any)["components"].(map[string]any)["messages"].(map[string]any) {
		s, err := c.Compile("mem:doc#/components/messages/" + id + "/payload")
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		all[m.(map[string]any)["name"].(string)] = s
	}
	return all
}

// listen connects to a hub by pipes and judges what it sends, until the token has
// ended. judged is told of each message, from one goroutine at a time.
func listen(t *testing.T, l pipes, query string, judged func(text []byte)) (done chan struct{}) {
	client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		l.conns <- far
		return near, nil
	}}}
	ws, _, err := websocket.Dial(context.Background(), "ws://hub/?"+query,
		&websocket.DialOptions{HTTPClient: client, Subprotocols: []string{"usercast.v1"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(context.Background(), websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		for {
			_, text, err := ws.Read(context.Background())
			if err != nil {
				if code := websocket.CloseStatus(err); code != usercast.CloseUnauthorized {
					t.Errorf("closed by %v, want 4401", err)
				}
				return
			}
			judged(text)
		}
	}()
	return done
}

// What a hub really sends fits the AsyncAPI document.
func TestWireFits(t *testing.T) {
	schemas := wireValidators(t)
	synctest.Test(t, func(t *testing.T) {
		hub, err := usercast.New(usercast.Config{
			Auth: usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
				return usercast.Identity{UserID: "ann", ExpiresAt: time.Now().Add(3 * time.Minute)}, nil
			}),
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		l := pipes{make(chan net.Conn), make(chan struct{})}
		srv := &http.Server{Handler: hub}
		go srv.Serve(l)
		var mu sync.Mutex
		seen := map[string]int{}
		judged := func(text []byte) {
			what := judge(t, schemas, text)
			mu.Lock()
			defer mu.Unlock()
			seen[what]++
		}
		one := listen(t, l, "device=one", judged)
		synctest.Wait()
		m := maker{rand.New(rand.NewPCG(7, 7))}
		for range 20 {
			if err := errors.Join(broadcasts(m, hub)...); err != nil {
				t.Fatal(err)
			}
		}
		<-listen(t, l, "lastEventTs=nonsense", judged)
		<-listen(t, l, "lastGlobalTs=nonsense", judged)
		<-one
		close(l.closed)
		hub.Shutdown(context.Background())
		srv.Close()
		for _, want := range []string{"hub.hello", "hub.live", "hub.gap", "hub.heartbeat", "hub.expiring", "pong", "TREE all", "hub.gap all",
			"ORDER_CREATED", "ORDER_CHANGED", "ORDER_PROGRESS", "ORDERS_LISTED", "forest/grown:v2", "TREE", "ANYTHING"} {
			if seen[want] == 0 {
				t.Errorf("%s was not seen; got %v", want, seen)
			}
		}
	})
}

// broadcasts sends each event of the shop once, with random payloads.
func broadcasts(m maker, hub *usercast.Hub) []error {
	var order orders.Order
	var items []orders.Item
	var forest orders.Forest
	var tree orders.Tree
	for _, p := range []any{&order, &items, &forest, &tree} {
		m.fill(reflect.ValueOf(p).Elem(), 5)
	}
	progress := struct {
		orders.ID
		Percent float64 `json:"percent" jsonschema:"minimum=0,maximum=100"`
	}{orders.ID{OrderID: "7"}, 50}
	order.Status = "open"
	if order.Note != nil {
		order.Note.Text = "not empty"
	}
	return []error{
		orders.Created.Broadcast(hub, "ann", order),
		orders.Changed.Broadcast(hub, "ann", &order),
		orders.Changed.Broadcast(hub, "ann", nil),
		orders.Progress.Broadcast(hub, "ann", progress),
		orders.Listed.Broadcast(hub, "ann", items),
		orders.Grown.Broadcast(hub, "ann", forest),
		orders.Planted.Broadcast(hub, "ann", tree),
		orders.Free.Broadcast(hub, "ann", map[string]int{"a": 1}),
		hub.Broadcast("ann", usercast.Event{Type: "TREE", Payload: tree, Key: "tree:1"}),
		orders.Planted.BroadcastAll(context.Background(), hub, tree),
	}
}

// judge validates one message and returns what it was.
func judge(t *testing.T, schemas map[string]*validator.Schema, text []byte) string {
	if string(text) == "pong" {
		if err := schemas["pong"].Validate("pong"); err != nil {
			t.Error(err)
		}
		return "pong"
	}
	var frame struct{ Type, Scope string }
	value, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = json.Unmarshal(text, &frame)
	}
	if err != nil {
		t.Errorf("%s: %v", text, err)
		return ""
	}
	s := schemas[frame.Type]
	if s == nil {
		t.Errorf("no message for %s", text)
		return ""
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%s\nis not what the document says: %v", text, err)
	}
	if frame.Scope != "" {
		return frame.Type + " " + frame.Scope
	}
	return frame.Type
}

// An event may be called like one of the clients' messages, or like another event
// but for signs.
func TestAsyncAPIMessagesDoNotCollide(t *testing.T) {
	catalog := usercast.Catalog{}
	for _, name := range []string{"a b", "a/b", "a_b", "hub.hello", "ping", "pong", "other"} {
		d := define(reflect.TypeFor[int]())[0]
		d.Name = name
		catalog = append(catalog, d)
	}
	text, err := AsyncAPI(catalog, Info{TokenParam: "-"})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct{ Name string }
		}
		Operations map[string]struct{ Messages []json.RawMessage }
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, m := range doc.Components.Messages {
		names[m.Name]++
	}
	for _, d := range catalog {
		want := 1
		if d.Name == "hub.hello" || d.Name == "ping" || d.Name == "pong" || d.Name == "other" {
			want = 2
		}
		if names[d.Name] != want {
			t.Errorf("%s: got %d messages, want %d", d.Name, names[d.Name], want)
		}
	}
	if got := len(doc.Operations["send"].Messages); got != len(catalog)+5 {
		t.Errorf("got %d messages to send, want %d", got, len(catalog)+5)
	}
	if strings.Contains(string(text), `"in": "query"`) {
		t.Error("a token in the URL is offered, though it is not allowed")
	}
}
