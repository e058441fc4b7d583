package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
)

// quiet keeps the examples' output their own.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// sessions stands for what an application has already.
var sessions = usercast.AuthenticatorFunc(func(r *http.Request) (usercast.Identity, error) {
	user, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer session-of-")
	if !ok {
		return usercast.Identity{}, usercast.ErrTokenInvalid
	}
	return usercast.Identity{UserID: user}, nil
})

func serveHub() (*usercast.Hub, string, func()) {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		panic(err)
	}
	srv := httptest.NewServer(hub)
	return hub, srv.URL, func() {
		hub.Shutdown(context.Background())
		srv.Close()
	}
}

func token(context.Context, client.TokenReason) (string, error) { return "session-of-alice", nil }

// PendingOrders is the payload of PENDING_CREATED.
type PendingOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

// A device that is there, then away, and hears what it missed.
func Example() {
	hub, url, stop := serveHub()
	defer stop()

	seen := make(chan bool)
	c, err := client.New(client.Config{
		URL:       url, // wss://shop.example.com/ws
		Token:     token,
		Logger:    quiet,
		OnConnect: func(h client.Hello) { fmt.Println(h.Verdict); seen <- true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client.On(c, "PENDING_CREATED", func(p PendingOrders, m client.Meta) {
		fmt.Println(p.OrderIDs, m.Class, "replayed:", m.Replayed)
		seen <- true
	})
	run := func() (quit func()) {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		<-seen
		return func() { cancel(); fmt.Println(<-done) }
	}

	quit := run()
	hub.Broadcast("alice", usercast.Event{Type: "PENDING_CREATED", Payload: PendingOrders{[]string{"A1"}, 1}})
	<-seen
	quit()
	hub.Broadcast("alice", usercast.Event{Type: "PENDING_CREATED", Payload: PendingOrders{[]string{"A2"}, 1}})
	quit = run()
	<-seen
	quit()
	// Output:
	// fresh
	// [A1] buffered replayed: false
	// context canceled
	// resumed
	// [A2] buffered replayed: true
	// context canceled
}

// PendingCreated is defined once, for whoever sends it and whoever hears it.
var PendingCreated = usercast.Define[PendingOrders]("EXAMPLE_PENDING_CREATED", usercast.Buffered)

// With a definition neither name nor payload can be mistaken.
func ExampleOnEvent() {
	hub, url, stop := serveHub()
	defer stop()
	c, _ := client.New(client.Config{URL: url, Token: token, Logger: quiet, Cursor: hub.Cursor("alice")})
	client.OnEvent(c, PendingCreated, func(p PendingOrders, _ client.Meta) {
		fmt.Println(p.Count, "created")
		c.Close() // Run returns
	})
	PendingCreated.Broadcast(hub, "alice", PendingOrders{OrderIDs: []string{"A1", "A2"}, Count: 2})
	fmt.Println(c.Run(context.Background()))
	// Output:
	// 2 created
	// <nil>
}

// Every event of a family, as it came.
func ExampleClient_On() {
	hub, url, stop := serveHub()
	defer stop()
	c, _ := client.New(client.Config{URL: url, Token: token, Logger: quiet, Cursor: hub.Cursor("alice")})
	c.On("JOB_*", func(ev client.Event) { fmt.Println(ev.Type, ev.Key, string(ev.Payload)) })
	c.On("DONE", func(client.Event) { c.Close() })
	hub.Broadcast("alice", usercast.Event{Type: "JOB_STARTED", Payload: map[string]string{"jobId": "42"}})
	hub.Broadcast("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:42", Payload: map[string]int{"progress": 30}})
	hub.Broadcast("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:42", Payload: map[string]int{"progress": 60}})
	hub.Broadcast("alice", usercast.Event{Type: "DONE"})
	c.Run(context.Background())
	// Output:
	// JOB_STARTED  {"jobId":"42"}
	// JOB_PROGRESS job:42 {"progress":60}
}

// The newest value of a key is known without a handler, and gone when its job ends.
func ExampleClient_Latest() {
	hub, url, stop := serveHub()
	defer stop()
	var c *client.Client
	show := func() {
		ev, ok := c.Latest("JOB_PROGRESS", "job:42")
		fmt.Println(string(ev.Payload), ok)
	}
	c, _ = client.New(client.Config{URL: url, Token: token, Logger: quiet, OnState: func(s client.State) {
		if !s.Stale { // everything that was missed has come
			show()
			hub.Broadcast("alice", usercast.Event{Type: "JOB_COMPLETED", Key: "job:42"})
		}
	}})
	c.On("JOB_COMPLETED", func(client.Event) {
		show()
		c.Close()
	})
	hub.Broadcast("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:42", Payload: map[string]int{"progress": 30}})
	hub.Broadcast("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:42", Payload: map[string]int{"progress": 60}})
	c.Run(context.Background())
	// Output:
	// {"progress":60} true
	//  false
}

// A cursor that the hub does not know is a gap, told when all that the hub still has
// has come.
func ExampleConfig_gap() {
	hub, url, stop := serveHub()
	defer stop()
	hub.Broadcast("alice", usercast.Event{Type: "ORDER_CREATED", Payload: 1})
	var c *client.Client
	c, _ = client.New(client.Config{
		URL: url, Token: token, Logger: quiet,
		Cursor: usercast.Cursor{Epoch: "of yesterday", LastEventTs: 1}, // from SaveCursor, before a restart
		OnGap: func(g client.Gap) {
			fmt.Println("refetch:", g.Reason)
			c.Close()
		},
	})
	c.On("*", func(ev client.Event) { fmt.Println(ev.Type) })
	c.Run(context.Background())
	// Output:
	// ORDER_CREATED
	// refetch: restarted
}

// What stops a client has a name; everything else is tried again.
func ExampleClient_Run() {
	hub, url, stop := serveHub()
	defer stop()
	c, _ := client.New(client.Config{
		URL: url, Token: token, Logger: quiet,
		OnState: func(s client.State) {
			fmt.Println(s.Phase, "stale:", s.Stale)
			if !s.Stale {
				hub.Disconnect("alice", "logged out")
			}
		},
	})
	err := c.Run(context.Background())
	fmt.Println(err)
	fmt.Println(errors.Is(err, client.ErrRevoked))
	// Output:
	// connecting stale: true
	// connected stale: true
	// connected stale: false
	// closed stale: true
	// client: closed by the hub: 4403 "logged out"
	// true
}
