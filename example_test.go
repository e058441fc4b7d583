package usercast_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// quiet keeps the examples' output their own.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// sessions stands for what an application has already.
var sessions = usercast.AuthenticatorFunc(func(r *http.Request) (usercast.Identity, error) {
	user, ok := strings.CutPrefix(r.URL.Query().Get("token"), "session-of-")
	if !ok {
		return usercast.Identity{}, usercast.ErrTokenInvalid
	}
	return usercast.Identity{UserID: user}, nil
})

// A server, and one device that is away while something happens.
func Example() {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := httptest.NewServer(hub)
	defer srv.Close()
	defer hub.Shutdown(context.Background())

	device := dial(srv.URL + "?token=session-of-alice")
	hello := device.read()
	fmt.Println(hello.Type, hello.Payload["verdict"])
	fmt.Println(device.read().Type)
	hub.Broadcast("alice", usercast.Event{Type: "ORDER_CREATED", Payload: map[string]int{"order": 1}})
	last := device.read()
	fmt.Println(last.Type, last.Payload)

	device.ws.CloseNow()
	hub.Broadcast("alice", usercast.Event{Type: "ORDER_CREATED", Payload: map[string]int{"order": 2}})

	device = dial(fmt.Sprintf("%s?token=session-of-alice&epoch=%s&lastEventTs=%s", srv.URL, hello.Payload["epoch"], last.Timestamp))
	defer device.ws.CloseNow()
	fmt.Println(device.read().Payload["verdict"])
	missed := device.read()
	fmt.Println(missed.Type, missed.Payload)
	fmt.Println(device.read().Type)
	// Output:
	// hub.hello fresh
	// hub.live
	// ORDER_CREATED map[order:1]
	// resumed
	// ORDER_CREATED map[order:2]
	// hub.live
}

// The events of an application, usually in a package of their own.
var (
	invoiceSent = usercast.Define[invoice]("INVOICE_SENT", usercast.Buffered, "An invoice went out.")
	exportRuns  = usercast.DefineKeyed("EXPORT_PROGRESS", usercast.Latest, func(e export) string { return "export:" + e.ID })
)

type invoice struct {
	Number int `json:"number"`
}

type export struct {
	ID      string `json:"id"`
	Percent int    `json:"percent"`
}

// A typed event: a payload of another type does not compile.
func ExampleDefine() {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hub.Shutdown(context.Background())

	fmt.Println(invoiceSent.Broadcast(hub, "alice", invoice{Number: 1}))
	// Sent by its name alone, it is held to its definition.
	err = hub.Broadcast("alice", usercast.Event{Type: "INVOICE_SENT", Payload: "number 1"})
	fmt.Println(errors.Is(err, usercast.ErrInvalidEvent))
	// Output:
	// <nil>
	// true
}

// A latest event: a device that connects in the middle gets the newest value.
func ExampleDefineKeyed() {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := httptest.NewServer(hub)
	defer srv.Close()
	defer hub.Shutdown(context.Background())

	exportRuns.Broadcast(hub, "alice", export{ID: "7", Percent: 10})
	exportRuns.Broadcast(hub, "alice", export{ID: "7", Percent: 60})

	device := dial(srv.URL + "?token=session-of-alice")
	defer device.ws.CloseNow()
	device.read() // hub.hello
	newest := device.read()
	fmt.Println(newest.Type, newest.Payload)
	// Output: EXPORT_PROGRESS map[id:7 percent:60]
}

// Which events an application knows, and which of them nobody has sent yet.
func ExampleDefined() {
	d, ok := usercast.Defined().Lookup("EXPORT_PROGRESS")
	fmt.Println(ok, d.Class, d.Keyed, d.Payload)
	// Output: true latest true usercast_test.export
}

// An event that is kept for later says what was true when it was made.
func ExampleEvent_Freeze() {
	ids := []string{"a"}
	frozen, err := usercast.Event{Type: "ORDERS_DELETED", Payload: ids}.Freeze()
	ids[0] = "b"
	fmt.Printf("%s %v\n", frozen.Payload, err)
	// Output: ["a"] <nil>
}

// Tokens signed by a shared secret.
func ExampleNewJWT() {
	auth, err := usercast.NewJWT(usercast.JWTConfig{
		Secret:   []byte("use at least 32 random bytes here"),
		Methods:  []string{"HS256"},
		Issuer:   "https://shop.example.com",
		Audience: "shop-web",
	})
	fmt.Println(auth != nil, err)
	// Output: true <nil>
}

// Two keys side by side while they are rotated: tokens name theirs by kid.
func ExampleNewJWT_rotation() {
	oldKey, _, _ := ed25519.GenerateKey(nil)
	newKey, _, _ := ed25519.GenerateKey(nil)
	auth, err := usercast.NewJWT(usercast.JWTConfig{
		Keys:     map[string]crypto.PublicKey{"2026-10": oldKey, "2026-11": newKey},
		Methods:  []string{"EdDSA"},
		Issuer:   "https://id.example.com",
		Audience: "shop-web",
	})
	fmt.Println(auth != nil, err)
	// Output: true <nil>
}

// A configuration that would accept anyone is refused, with the field's name.
func ExampleNewJWT_refused() {
	_, err := usercast.NewJWT(usercast.JWTConfig{Secret: []byte("short"), Methods: []string{"HS256"}})
	fmt.Println(err)
	fmt.Println(errors.Is(err, usercast.ErrInvalidConfig))
	// Output:
	// usercast: invalid configuration: JWTConfig.Secret: 5 bytes, want at least 32
	// true
}

// An application with sessions of its own.
func ExampleAuthenticatorFunc() {
	auth := usercast.AuthenticatorFunc(func(r *http.Request) (usercast.Identity, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return usercast.Identity{}, usercast.ErrTokenMissing
		}
		if r.Header.Get("Origin") == "" { // a cookie alone does not say which page sent it
			return usercast.Identity{}, usercast.ErrOrigin
		}
		// … look the session up …
		return usercast.Identity{UserID: "alice", SessionID: cookie.Value, ExpiresAt: time.Now().Add(time.Hour)}, nil
	})
	_, err := auth.Authenticate(httptest.NewRequest("GET", "/ws", nil))
	fmt.Println(err)
	// Output: usercast: token missing
}

// Progress has a key: a device that comes back gets the newest value at once, and
// the job's end clears it.
func ExampleHub_Broadcast_progress() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	defer hub.Shutdown(context.Background())
	for _, percent := range []int{10, 50, 90} {
		hub.Broadcast("alice", usercast.Event{Type: "JOB_PROGRESS", Key: "job:42", Payload: map[string]int{"progress": percent}})
	}
	fmt.Println("kept:", hub.Stats().BufferedEvents)
	hub.Broadcast("alice", usercast.Event{Type: "JOB_COMPLETED", Key: "job:42", Payload: map[string]string{"jobId": "42"}})
	fmt.Println("kept:", hub.Stats().BufferedEvents)
	// Output:
	// kept: 1
	// kept: 1
}

// A payload that cannot be sent is the caller's to know, and changes nothing.
func ExampleHub_Broadcast_errors() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	defer hub.Shutdown(context.Background())
	err := hub.Broadcast("alice", usercast.Event{Type: "NAME", Payload: "caf\xe9"})
	fmt.Println(err)
	fmt.Println(hub.Broadcast("alice", usercast.Event{Type: "hub.live"}))
	// Output:
	// usercast: payload cannot be sent: NAME: a string in it is not UTF-8
	// usercast: invalid event: Type "hub.live": names that begin with "hub." are the hub's own
}

// The device that made a change needs no echo: the page sends its device ID along.
func ExampleEvent_except() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	defer hub.Shutdown(context.Background())
	handler := func(w http.ResponseWriter, r *http.Request) {
		// … write …
		w.WriteHeader(http.StatusNoContent)
		if err := hub.Broadcast("alice", usercast.Event{Type: "PENDING_UPDATED", Except: r.Header.Get("X-Device")}); err != nil {
			quiet.Error("broadcast", "error", err) // never a failed request: the write has happened
		}
	}
	r := httptest.NewRequest("PUT", "/orders/1", nil)
	r.Header.Set("X-Device", "laptop")
	handler(httptest.NewRecorder(), r)
	fmt.Println(hub.Stats().Broadcasts[usercast.Buffered])
	// Output: 1
}

// One event for several users, and one for everyone.
func ExampleHub_BroadcastMany() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	defer hub.Shutdown(context.Background())
	ctx := context.Background()
	fmt.Println(hub.BroadcastMany(ctx, []string{"alice", "bob"}, usercast.Event{Type: "PRICE_LIST_CHANGED"}))
	fmt.Println(hub.BroadcastAll(ctx, usercast.Event{Type: "MAINTENANCE_ANNOUNCED", Payload: "at noon"}))
	// Output:
	// <nil>
	// <nil>
}

// The cursor is taken before the data is read and rendered with it: whatever
// happens from then on reaches the page, however long it takes to connect.
func ExampleHub_Cursor() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	defer hub.Shutdown(context.Background())
	page := func(w http.ResponseWriter, r *http.Request) {
		cursor := hub.Cursor("alice")
		orders := []string{"order 1"} // … read after the cursor …
		json.NewEncoder(w).Encode(map[string]any{"cursor": cursor, "orders": orders})
	}
	w := httptest.NewRecorder()
	page(w, httptest.NewRequest("GET", "/orders", nil))
	fmt.Println(strings.Contains(w.Body.String(), `"lastEventTs":"20`))
	// Output: true
}

// Logout ends every connection of the user, handshakes in progress included.
func ExampleHub_Disconnect() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	srv := httptest.NewServer(hub)
	defer srv.Close()
	defer hub.Shutdown(context.Background())
	device := dial(srv.URL + "?token=session-of-alice")
	device.read()
	fmt.Println(hub.Disconnect("alice", "logged out"))
	_, _, err := device.ws.Read(context.Background())
	for err == nil {
		_, _, err = device.ws.Read(context.Background())
	}
	fmt.Println(int(websocket.CloseStatus(err)))
	// Output:
	// 1
	// 4403
}

// The hub is shut down beside the HTTP server, which does not know of upgraded
// connections.
func ExampleHub_Shutdown() {
	hub, _ := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	srv := &http.Server{Handler: hub, ReadHeaderTimeout: 5 * time.Second}

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	srv.RegisterOnShutdown(func() { ended <- hub.Shutdown(ctx) })

	fmt.Println(errors.Join(srv.Shutdown(ctx), <-ended))
	fmt.Println(hub.Broadcast("alice", usercast.Event{Type: "LATE"}))
	// Output:
	// <nil>
	// usercast: hub is shut down
}

// Callbacks see each connection once, and what clients send.
func ExampleConfig_callbacks() {
	seen := make(chan string)
	hub, _ := usercast.New(usercast.Config{
		Auth:         sessions,
		Logger:       quiet,
		OnConnect:    func(c usercast.ConnInfo) { seen <- "connected: " + c.UserID + ", " + string(c.Verdict) },
		OnMessage:    func(c usercast.ConnInfo, p []byte) { seen <- c.UserID + " says " + string(p) },
		OnDisconnect: func(c usercast.ConnInfo) { seen <- fmt.Sprint("disconnected: ", c.CloseCode) },
	})
	srv := httptest.NewServer(hub)
	defer srv.Close()
	device := dial(srv.URL + "?token=session-of-alice")
	fmt.Println(<-seen)
	device.ws.Write(context.Background(), websocket.MessageText, []byte("typing"))
	fmt.Println(<-seen)
	go device.ws.Close(websocket.StatusNormalClosure, "")
	fmt.Println(<-seen)
	hub.Shutdown(context.Background())
	// Output:
	// connected: alice, fresh
	// alice says typing
	// disconnected: 1000
}

// A device is just enough of a client for the examples.
type device struct{ ws *websocket.Conn }

type event struct {
	Type      string         `json:"type"`
	Payload   map[string]any `json:"payload"`
	Timestamp string         `json:"timestamp"`
}

func dial(url string) device {
	ws, _, err := websocket.Dial(context.Background(), url, nil)
	if err != nil {
		panic(err)
	}
	return device{ws}
}

func (d device) read() (e event) {
	_, p, err := d.ws.Read(context.Background())
	if err != nil {
		panic(err)
	}
	json.Unmarshal(p, &e)
	return e
}
