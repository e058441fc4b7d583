package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// strange is what no hub of today sends. Each is reported once and changes nothing,
// unless quiet says that it is for a later version.
var strange = []struct {
	text  string
	quiet bool
}{
	{``, false},
	{`{`, false},
	{`[]`, false},
	{`null`, false},
	{`"pong"`, false},
	{`{"payload":1}`, false},
	{`{"type":""}`, false},
	{`{"type":7}`, false},
	{`{"type":"E","payload":1}`, false},
	{`{"type":"E","payload":1,"timestamp":"yesterday"}`, false},
	{`{"type":"E","payload":1,"timestamp":1e99}`, false},
	{`{"type":"E","payload":1,"timestamp":"2000-01-01T00:00:99.000000Z"}`, false},
	{`{"type":"E","payload":1,"timestamp":"2000-01-01T00:00:01.000000Z","class":"eternal"}`, false},
	{`{"type":"E","payload":1,"timestamp":"2000-01-01T00:00:01.000000Z","scope":"some"}`, false},
	{`{"type":"E","payload":,"timestamp":"2000-01-01T00:00:01.000000Z"}`, false},
	{`{"type":"hub.hello","payload":{}}`, false},
	{strings.Repeat(`[`, 20_000), false},
	{`{"type":"E` + strings.Repeat("x", 10_000) + `","scope":"` + strings.Repeat("y", 10_000) + `"}`, false},
	{`{"type":"hub.later","payload":{"a":1},"timestamp":"2900-01-01T00:00:00.000000Z"}`, true},
	{`{"type":"hub.heartbeat"}`, true},
	{`{"type":"hub.live"}`, true},
	{`pong`, true},
}

// TestStrangeFrames: an error each, and the connection goes on.
func TestStrangeFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan bool)
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			say(ws, hello("e1", "fresh", ts(10)), `{"type":"hub.live","timestamp":"`+ts(10)+`"}`)
			for _, f := range strange {
				<-next
				say(ws, f.text)
			}
			<-next
			ws.Write(context.Background(), websocket.MessageBinary, []byte(`{"type":"E","payload":1,"timestamp":"`+ts(11)+`"}`))
			<-next
			say(ws, `{"type":"E","payload":{"a":[1]},"timestamp":"`+ts(12)+`","more":1}`)
			<-next
			say(ws, `{"type":"E","timestamp":"`+ts(13)+`"}`)
			<-t.Context().Done()
		})
		x := s.client(Config{}).start()
		synctest.Wait()
		before := x.Cursor()
		for _, f := range strange {
			had := len(snapshot(x, &x.errs))
			next <- true
			synctest.Wait()
			errs := snapshot(x, &x.errs)[had:]
			switch {
			case f.quiet && len(errs) > 0:
				t.Errorf("%s: %v, want none", clip(f.text), errs)
			case !f.quiet && (len(errs) != 1 || !errors.Is(errs[0], ErrFrame) || len(errs[0].Error()) > 400):
				t.Errorf("%s: %v, want ErrFrame once, in few words", clip(f.text), errs)
			}
			if got := x.Cursor(); got != before {
				t.Fatalf("%s: moved the cursor to %+v", clip(f.text), got)
			}
		}
		next <- true
		synctest.Wait()
		if errs := snapshot(x, &x.errs); !errors.Is(errs[len(errs)-1], ErrFrame) {
			t.Errorf("a binary message: %v", errs[len(errs)-1])
		}
		next <- true
		next <- true
		synctest.Wait()
		if got, want := x.payloads(), `{"a":[1]} null`; got != want || len(s.dialled()) != 1 {
			t.Errorf("after all of them: got %s on %d connections, want %s on one", got, len(s.dialled()), want)
		}
	})
}

// TestBadHello: a connection that begins wrongly is given up, and tried again later;
// what comes before hello is skipped.
func TestBadHello(t *testing.T) {
	good := hello("e1", "fresh", ts(10))
	for name, first := range map[string]string{
		"no epoch":     strings.Replace(good, `"e1"`, `""`, 1),
		"no timestamp": strings.Replace(good, ts(10), "", 1),
		"no place":     `{"type":"hub.hello","payload":{"epoch":"e1","verdict":"fresh"}}`,
		"verdict":      hello("e1", "perhaps", ts(10)),
		"payload":      `{"type":"hub.hello","payload":7,"timestamp":"` + ts(10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
					say(ws, `{"type":"E","payload":1,"timestamp":"`+ts(9)+`"}`)
					if n == 0 {
						say(ws, first)
					}
					say(ws, good)
					<-t.Context().Done()
				})
				x := s.client(Config{})
				x.random = func() float64 { return 1 }
				x.start()
				if name == "no timestamp" {
					// It does not parse at all, so nobody can know that it was hello; the
					// good one counts.
					synctest.Wait()
				} else {
					time.Sleep(time.Second - 1)
					if st := x.State(); st.Phase != Reconnecting {
						t.Errorf("state %+v, want reconnecting", st)
					}
					time.Sleep(time.Nanosecond)
					synctest.Wait()
				}
				if got := x.State().Phase; got != Connected || x.payloads() != "" {
					t.Errorf("%s, events %s; want connected, and nothing from before hello", got, x.payloads())
				}
				for _, err := range snapshot(x, &x.errs) {
					if !errors.Is(err, ErrFrame) {
						t.Errorf("OnError: %v, want ErrFrame", err)
					}
				}
			})
		})
	}
}

// TestEventBytes: what is too large is skipped and reported, to the byte; what no hub
// can send costs the connection.
func TestEventBytes(t *testing.T) {
	event := func(at, size int) string {
		s := fmt.Sprintf(`{"type":"E","payload":"","timestamp":%q}`, ts(at))
		return strings.Replace(s, `""`, `"`+strings.Repeat("x", size-len(s))+`"`, 1)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			say(ws, hello("e1", "fresh", ts(10)))
			if n == 0 {
				say(ws, event(11, 5000), event(12, 5001), event(13, 400), event(14, maxEventBytes), event(15, 500),
					event(16, maxEventBytes+1))
			}
			<-t.Context().Done()
		})
		x := s.client(Config{MaxEventBytes: 5000}).start()
		time.Sleep(5 * time.Second)
		var sizes []int
		for _, ev := range snapshot(x, &x.events) {
			sizes = append(sizes, len(ev.Payload))
		}
		if len(sizes) != 3 || sizes[0]-sizes[1] != 4600 || sizes[2]-sizes[1] != 100 {
			t.Errorf("payloads of %d bytes, want those of the events of 5000, 400 and 500", sizes)
		}
		errs := snapshot(x, &x.errs)
		if len(errs) != 3 || !errors.Is(errs[0], ErrTooLarge) || !strings.Contains(errs[0].Error(), "5001 bytes") ||
			!strings.Contains(errs[1].Error(), "16777216 bytes") || !errors.Is(errs[2], ErrTooLarge) {
			t.Errorf("OnError: %v, want three times ErrTooLarge", errs)
		}
		if got := len(s.dialled()); got != 2 {
			t.Errorf("%d connections, want a second one after what no hub sends", got)
		}
	})
}

// FuzzFrames hands a session whatever a stranger may send. Nothing panics; whatever
// is handled was understood; what was not leaves no trace; the cursor goes
// back by hub.hello only.
func FuzzFrames(f *testing.F) {
	live := `{"type":"hub.live","timestamp":"` + ts(10) + `"}`
	event := `{"type":"E","payload":{"a":1},"timestamp":"` + ts(11) + `"}`
	for _, s := range strange {
		f.Add([]byte(s.text + "\n" + event))
	}
	f.Add([]byte(hello("e1", "fresh", ts(10)) + "\n" + live + "\n" + event + "\n" + event))
	f.Add([]byte(hello("e2", "gap", ts(4)) + "\n" + `{"type":"hub.gap","payload":{"reason":"restarted"},"timestamp":"` + ts(4) + `"}` + "\n" + live))
	f.Add([]byte(`{"type":"hub.gap","timestamp":"` + ts(40) + `","scope":"all"}` + "\n" + `{"type":"P_PROGRESS","class":"latest","key":"k","payload":1,"timestamp":"` + ts(41) + `","scope":"all"}`))
	f.Add([]byte(`{"type":"hub.expiring","payload":{"expiresAt":"` + ts(1) + `"}}`))
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, greeted := range []bool{false, true} {
			fuzzSession(t, input, greeted)
		}
	})
}

func fuzzSession(t *testing.T, input []byte, greeted bool) {
	handled, reports := 0, 0
	c, err := New(Config{URL: "ws://h/", Logger: quiet,
		Cursor: usercast.Cursor{Epoch: "e1", LastEventTs: stamp(10), LastGlobalTs: stamp(1)},
		OnError: func(err error) {
			reports++
			if errors.Is(err, usercast.ErrPanic) {
				t.Fatal(err)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{c: c, in: newInbox(), greeted: greeted, claim: c.at}
	c.On("*", func(ev Event) {
		handled++
		if ev.Type == "" || strings.HasPrefix(ev.Type, "hub.") || ev.Timestamp <= 0 || !json.Valid(ev.Payload) ||
			ev.Class < usercast.Buffered || ev.Class > usercast.Latest {
			t.Fatalf("handled %+v", ev)
		}
		if ev.Timestamp <= *c.place(ev.Global) {
			t.Fatalf("%v was handled behind the cursor %+v", ev.Timestamp, c.at)
		}
	})
	On(c, "E", func(struct{ A []int }, Meta) {})
	for line := range bytes.SplitSeq(input, []byte("\n")) {
		before, hadHello, hadHandled, hadReports := c.at, s.greeted, handled, reports
		err := s.take(message{data: line})
		if err != nil && (hadHello || s.greeted) {
			t.Fatalf("%q ended the connection: %v", line, err)
		}
		if handled > hadHandled && c.at == before {
			t.Fatalf("%q was handled and did not move the cursor", line)
		}
		if reports > hadReports && handled == hadHandled && c.at != before {
			t.Fatalf("%q was reported and moved the cursor", line)
		}
		back := c.at.LastEventTs < before.LastEventTs || c.at.LastGlobalTs < before.LastGlobalTs || c.at.Epoch != before.Epoch
		if back && (hadHello || !s.greeted) {
			t.Fatalf("%q took the cursor from %+v to %+v", line, before, c.at)
		}
	}
}
