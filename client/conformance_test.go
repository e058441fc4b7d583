package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// A conversation is one connection, recorded by the hub's tests. The browser's
// client is tested with the same file, so that nobody changes the wire alone.
type conversation struct {
	Name   string
	Cursor usercast.Cursor
	Frames []string
	Close  *CloseError
}

// afterwards is what the documentation says that a client does with a close code.
var afterwards = map[int]string{
	1008: "retry", 1009: "retry", 1011: "retry", 1012: "spread", 1013: "retry",
	4401: "token", 4403: "stop", 4409: "stop", 4429: "retry",
}

// TestConformance: the client makes of each recorded conversation what the hub meant.
func TestConformance(t *testing.T) {
	b, err := os.ReadFile("../js/conformance/frames.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []conversation
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	codes := map[int]bool{}
	for _, cv := range all {
		if cv.Close != nil {
			codes[cv.Close.Code] = true
		}
		t.Run(cv.Name, func(t *testing.T) { synctest.Test(t, cv.play) })
	}
	for code := range afterwards {
		if !codes[code] {
			t.Errorf("no conversation ends with %d", code)
		}
	}
}

func (cv *conversation) play(t *testing.T) {
	heard := make(chan bool)
	s := newScript(t, func(n int, ws *websocket.Conn, r *http.Request) {
		if n > 0 {
			return
		}
		if q := r.URL.Query(); cv.Cursor != (usercast.Cursor{}) && (q.Get("epoch") != cv.Cursor.Epoch ||
			q.Get("lastEventTs") != cv.Cursor.LastEventTs.String() || q.Get("lastGlobalTs") != cv.Cursor.LastGlobalTs.String()) {
			t.Errorf("resumed by %v, want %+v", q, cv.Cursor)
		}
		for _, text := range cv.Frames {
			ws.Write(context.Background(), websocket.MessageText, []byte(text))
		}
		<-heard
		if cv.Close != nil {
			ws.Close(websocket.StatusCode(cv.Close.Code), cv.Close.Reason)
		}
	})
	i := &issuer{plan: func(int, TokenReason) (string, error) { return "alice", nil }}
	x := s.client(Config{Cursor: cv.Cursor, Token: i.token})
	x.random = func() float64 { return 1 }
	x.start()
	synctest.Wait()
	if got, want := x.journal(), cv.journal(); got != want {
		t.Errorf("told: %s\nwant: %s", got, want)
	}
	if got, want := fmt.Sprintf("%+v", snapshot(x, &x.events)), fmt.Sprintf("%+v", cv.events(t)); got != want {
		t.Errorf("events: %s\nwant: %s", got, want)
	}
	if got, want := x.Cursor(), cv.cursor(len(cv.Frames)); got != want {
		t.Errorf("cursor %+v, want %+v", got, want)
	}
	for _, g := range snapshot(x, &x.gaps) {
		if want := cv.from(); g.From != want {
			t.Errorf("gap from %+v, want %+v", g.From, want)
		}
	}
	if st := x.State(); len(cv.Frames) > 0 && st != (State{Phase: Connected}) {
		t.Errorf("state %+v, want connected and nothing stale", st)
	}
	x.noErrors()
	attempts := x.State().Attempt
	heard <- true
	synctest.Wait()
	if cv.Close != nil {
		cv.after(x, i, attempts)
	}
}

// after checks what the client does after a close.
func (cv *conversation) after(x *subject, i *issuer, attempts int) {
	st := x.State()
	if st.Code != cv.Close.Code || st.Reason != cv.Close.Reason || !st.Stale {
		x.t.Errorf("state %+v, want the close's code and reason", st)
	}
	does := afterwards[cv.Close.Code]
	if does == "stop" {
		if err, ok := x.ended(); !ok || !final(err) || st.Phase != Closed {
			x.t.Errorf("Run: %v (ended: %v), %s; want it to stop", err, ok, st.Phase)
		}
		return
	}
	// The hub's own spread is one second too, as is the first backoff. A refusal at
	// the handshake waits for another one.
	want := time.Second << attempts
	if does == "token" && len(cv.Frames) == 0 {
		want += time.Second
	}
	if wait := time.Until(st.RetryAt); wait != want || st.Phase != Reconnecting {
		x.t.Errorf("%s, and next in %v; want %v", st.Phase, wait, want)
	}
	asked, _ := i.asked()
	time.Sleep(want)
	synctest.Wait()
	reason := TokenConnect
	if does == "token" {
		if reason = TokenRefused; cv.Close.Reason == "token expired" {
			reason = TokenExpired
		}
	}
	if again, _ := i.asked(); len(again) != len(asked)+1 || again[len(asked)] != reason {
		x.t.Errorf("token was asked for as %v before, %v after; want one more, %s", asked, again, reason)
	}
}

// recorded is a frame, read by other code than the client's.
type recorded struct {
	Type, Timestamp, Class, Key, Scope string
	Payload                            json.RawMessage
}

func (cv *conversation) frames() (list []recorded) {
	for _, text := range cv.Frames {
		var f recorded
		if text == "pong" {
			f.Type = "hub.pong"
		} else if err := json.Unmarshal([]byte(text), &f); err != nil {
			panic(err)
		}
		list = append(list, f)
	}
	return list
}

// journal is what callbacks are told, in order.
func (cv *conversation) journal() string {
	var out []string
	gap, live := "", false
	for _, f := range cv.frames() {
		var p struct{ Verdict, Reason string }
		json.Unmarshal(f.Payload, &p)
		switch f.Type {
		case "hub.hello":
			out, gap = append(out, "hello "+p.Verdict), p.Reason
		case "hub.live":
			if live = true; gap != "" {
				out = append(out, "gap "+gap)
			}
		case "hub.gap":
			if live {
				out = append(out, "gap "+p.Reason)
			}
		default:
			if !strings.HasPrefix(f.Type, "hub.") {
				out = append(out, f.Type)
			}
		}
	}
	return strings.Join(out, ", ")
}

// events is every event, for none of these conversations holds one twice.
func (cv *conversation) events(t *testing.T) (list []Event) {
	classes := map[string]usercast.Class{"": usercast.Buffered, "transient": usercast.Transient, "latest": usercast.Latest}
	live := false
	for _, f := range cv.frames() {
		live = live || f.Type == "hub.live"
		if strings.HasPrefix(f.Type, "hub.") {
			continue
		}
		at, err := usercast.ParseTimestamp(f.Timestamp)
		if err != nil {
			t.Fatal(err)
		}
		payload := f.Payload
		if payload == nil {
			payload = json.RawMessage("null")
		}
		list = append(list, Event{Meta{f.Type, at, classes[f.Class], f.Key, f.Scope == "all", !live}, payload})
	}
	return list
}

// cursor is where the first n frames lead: the last timestamp of each scope, which
// the hub never lets go back on one connection.
func (cv *conversation) cursor(n int) usercast.Cursor {
	at := cv.Cursor
	for _, f := range cv.frames()[:n] {
		ts, _ := usercast.ParseTimestamp(f.Timestamp)
		switch {
		case f.Type == "hub.hello":
			json.Unmarshal(f.Payload, &struct {
				Epoch           *string
				GlobalTimestamp *usercast.Timestamp
			}{&at.Epoch, &at.LastGlobalTs})
			at.LastEventTs = ts
		case f.Timestamp == "":
		case f.Scope == "all":
			at.LastGlobalTs = ts
		default:
			at.LastEventTs = ts
		}
	}
	return at
}

// from is where the device had got to before its gap.
func (cv *conversation) from() usercast.Cursor {
	for n, f := range cv.frames() {
		if f.Type == "hub.gap" && strings.Contains(string(f.Payload), "lagged") {
			return cv.cursor(n)
		}
	}
	return cv.Cursor
}
