package usercast

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStatsCount: what moves each counter, and what does not: everything else
// must stay as it was.
func TestStatsCount(t *testing.T) {
	steps := []struct {
		name  string
		cfg   Config
		begin func(r *rig) *device // before the first look; may be nil
		act   func(r *rig, d *device)
		want  string
	}{
		{"connect fresh", Config{}, nil, func(r *rig, _ *device) { hear(r.dial("user=alice")) },
			"Connections+1 Logs+1 Users+1 Verdicts[fresh]+1"},
		{"a user's second device", Config{}, connectAlice, func(r *rig, _ *device) { hear(r.dial("user=alice")) },
			"Connections+1 Verdicts[fresh]+1"},
		{"disconnect", Config{}, connectAlice, func(_ *rig, d *device) { d.c.Close() },
			"Connections-1 Users-1"},
		{"the last device of a user with transients leaves", Config{}, func(r *rig) *device {
			d := connectAlice(r)
			r.broadcast("alice", ev("E_PROGRESS", nil))
			return d
		}, func(_ *rig, d *device) { d.c.Close() },
			"BufferedBytes- BufferedEvents-1 Connections-1 Users-1"},
		{"broadcast to nobody", Config{}, nil, func(r *rig, _ *device) { r.broadcast("bob", ev("E", nil)) },
			"Broadcasts[buffered]+1 BufferedBytes+ BufferedEvents+1 Logs+1"},
		{"broadcast to two devices", Config{}, connectAlice, func(r *rig, _ *device) {
			hear(r.dial("user=alice"))
			r.broadcast("alice", ev("E", nil))
		}, "Broadcasts[buffered]+1 BufferedBytes+ BufferedEvents+1 Connections+1 Delivered+2 Verdicts[fresh]+1"},
		{"an event that its device need not hear", Config{}, connectAlice, func(r *rig, d *device) {
			r.broadcast("alice", Event{Type: "E", Except: d.hello.ConnectionID})
		}, "Broadcasts[buffered]+1 BufferedBytes+ BufferedEvents+1"},
		{"transient", Config{}, connectAlice, func(r *rig, _ *device) { r.broadcast("alice", ev("E_PROGRESS", nil)) },
			"Broadcasts[transient]+1 BufferedBytes+ BufferedEvents+1 Delivered+1"},
		{"transient to nobody", Config{}, nil, func(r *rig, _ *device) { r.broadcast("bob", ev("E_PROGRESS", nil)) },
			"Broadcasts[transient]+1 Logs+1"},
		{"latest, twice the same key", Config{}, connectAlice, func(r *rig, _ *device) {
			for n := range 2 {
				r.broadcast("alice", Event{Type: "E_PROGRESS", Key: "k", Payload: n})
				synctest.Wait()
			}
		}, "Broadcasts[latest]+2 BufferedBytes+ BufferedEvents+1 Delivered+2"},
		{"broadcast to many", Config{}, nil, func(r *rig, _ *device) {
			r.hub.BroadcastMany(context.Background(), []string{"a", "b", "a"}, ev("E", nil))
		}, "Broadcasts[buffered]+2 BufferedBytes+ BufferedEvents+2 Logs+2"},
		{"broadcast to all", Config{}, connectAlice, func(r *rig, _ *device) {
			hear(r.dial("user=bob"))
			r.hub.BroadcastAll(context.Background(), ev("E", nil))
		}, "Broadcasts[buffered]+1 BufferedBytes+ BufferedEvents+1 Connections+1 Delivered+2 Logs+1 Users+1 Verdicts[fresh]+1"},
		{"refused events", Config{}, nil, func(r *rig, _ *device) {
			r.hub.Broadcast("", ev("E", nil))
			r.hub.Broadcast("bob", ev("", nil))
			r.hub.Broadcast("bob", ev("E", make(chan int)))
		}, ""},
		{"resume", Config{}, missed, func(r *rig, d *device) {
			hear(r.dial(resume("alice", d.hello.Epoch, d.first.Timestamp)))
		}, "Connections+1 Delivered+3 Replayed+3 Users+1 Verdicts[resumed]+1"},
		{"gap at connect", Config{BufferSize: 2}, missed, func(r *rig, d *device) {
			hear(r.dial(resume("alice", d.hello.Epoch, d.first.Timestamp)))
		}, "Connections+1 Delivered+2 Gaps[evicted]+1 Replayed+2 Users+1 Verdicts[gap]+1"},
		{"unknown cursor", Config{}, missed, func(r *rig, d *device) { hear(r.dial("user=alice&lastEventTs=x")) },
			"Connections+1 Delivered+3 Gaps[unknown_cursor]+1 Replayed+3 Users+1 Verdicts[gap]+1"},
		{"another epoch", Config{}, missed, func(r *rig, d *device) { hear(r.dial(resume("alice", "x", d.first.Timestamp))) },
			"Connections+1 Delivered+3 Gaps[restarted]+1 Replayed+3 Users+1 Verdicts[gap]+1"},
		{"expired", Config{BufferTTL: 10 * time.Second}, missed, func(r *rig, d *device) {
			time.Sleep(11 * time.Second)
			hear(r.dial(resume("alice", d.hello.Epoch, d.first.Timestamp)))
		}, "BufferedBytes- BufferedEvents-3 Connections+1 Gaps[expired]+1 Users+1 Verdicts[gap]+1"},
		{"lagged, and transients lost", Config{BufferSize: 5}, connectAlice, func(r *rig, d *device) {
			d.c.(*fakeSocket).stall(true)
			r.broadcast("alice", newSizedEvent(0, 3000)) // fills the socket
			synctest.Wait()
			for n := range 6 {
				r.broadcast("alice", ev("E", n))
			}
			for n := range maxRecent + 3 {
				r.broadcast("alice", ev("E_PROGRESS", n))
			}
			d.c.(*fakeSocket).stall(false)
		}, fmt.Sprintf("Broadcasts[buffered]+7 Broadcasts[transient]+%d BufferedBytes+ BufferedEvents+%d Delivered+%d DroppedTransients+3 Gaps[lagged]+1",
			maxRecent+3, 5+maxRecent, 1+5+maxRecent)},
		{"slow", Config{}, connectAlice, func(r *rig, d *device) {
			d.c.(*fakeSocket).stall(true)
			r.broadcast("alice", newSizedEvent(0, 5000))
			time.Sleep(5 * time.Second)
			d.c.(*fakeSocket).stall(false)
		}, "Broadcasts[buffered]+1 BufferedBytes+ BufferedEvents+1 Connections-1 Delivered+1 SlowCloses+1 Users-1"},
		{"dead", Config{}, func(r *rig) *device {
			d := r.dial("user=alice")
			d.mute = true
			hear(d)
			return d
		}, func(*rig, *device) {
			time.Sleep(45 * time.Second)
		}, "Connections-1 DeadCloses+1 Users-1"},
		{"flood", Config{}, connectAlice, func(r *rig, d *device) { floodPings(d) },
			"Connections-1 Floods+1 Users-1"},
		{"ignored messages", Config{}, connectAlice, func(r *rig, d *device) { d.text("x"); d.write(2, nil); d.text("ping") },
			"IgnoredMessages+2"},
		{"panic", Config{OnMessage: func(ConnInfo, []byte) { panic("boom") }}, connectAlice,
			func(r *rig, d *device) { d.text("x") }, "Connections-1 Panics+1 Users-1"},
		{"Cursor", Config{}, nil, func(r *rig, _ *device) { r.hub.Cursor("alice") }, "Logs+1"},
		{"Disconnect of nobody", Config{}, nil, func(r *rig, _ *device) { r.hub.Disconnect("alice", "") }, ""},
		{"no upgrade", Config{}, nil, func(r *rig, _ *device) {
			io.WriteString(r.conn(), "GET /?user=alice HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
		}, "Refused[upgrade]+1"},
		{"no token", Config{}, nil, func(r *rig, _ *device) { r.open("") }, "Refused[token]+1"},
		{"bad device", Config{}, nil, func(r *rig, _ *device) { r.open("user=alice&device=.") }, "Refused[request]+1"},
		{"origin", Config{}, nil, func(r *rig, _ *device) { r.open("user=alice", "Origin: https://evil.example") }, "Refused[origin]+1"},
		{"full", Config{MaxConns: 1}, connectAlice, func(r *rig, _ *device) { r.open("user=bob") }, "Refused[full]+1"},
	}
	for _, c := range steps {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.cfg, 2000, false)
				var d *device
				if c.begin != nil {
					d = c.begin(r)
				}
				synctest.Wait()
				before := r.hub.Stats()
				c.act(r, d)
				synctest.Wait()
				if got := statsChange(before, r.hub.Stats()); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
				r.resetAll()
			})
		})
	}
}

func connectAlice(r *rig) *device {
	d := r.dial("user=alice")
	hear(d)
	return d
}

// missed leaves alice disconnected, with three events unseen.
func missed(r *rig) *device {
	d := connectAlice(r)
	d.c.Close()
	synctest.Wait()
	for n := range 3 {
		r.broadcast("alice", ev("E", n))
	}
	return d
}

// statsChange says what changed, "Name+1 Other-2", in alphabetical order. Of the
// bytes it says only whether they grew.
func statsChange(before, after Stats) string {
	var out []string
	add := func(name string, from, to int64) {
		if d := to - from; d != 0 && name == "BufferedBytes" {
			out = append(out, name+map[bool]string{true: "+", false: "-"}[d > 0])
		} else if d != 0 {
			out = append(out, fmt.Sprintf("%s%+d", name, d))
		}
	}
	add("Connections", before.Connections, after.Connections)
	add("Users", before.Users, after.Users)
	add("Logs", before.Logs, after.Logs)
	add("BufferedEvents", before.BufferedEvents, after.BufferedEvents)
	add("BufferedBytes", before.BufferedBytes, after.BufferedBytes)
	add("Delivered", int64(before.Delivered), int64(after.Delivered))
	add("Replayed", int64(before.Replayed), int64(after.Replayed))
	add("DroppedTransients", int64(before.DroppedTransients), int64(after.DroppedTransients))
	add("SlowCloses", int64(before.SlowCloses), int64(after.SlowCloses))
	add("DeadCloses", int64(before.DeadCloses), int64(after.DeadCloses))
	add("Floods", int64(before.Floods), int64(after.Floods))
	add("IgnoredMessages", int64(before.IgnoredMessages), int64(after.IgnoredMessages))
	add("Panics", int64(before.Panics), int64(after.Panics))
	for k := range after.Broadcasts {
		add(fmt.Sprintf("Broadcasts[%v]", k), int64(before.Broadcasts[k]), int64(after.Broadcasts[k]))
	}
	for k := range after.Verdicts {
		add(fmt.Sprintf("Verdicts[%v]", k), int64(before.Verdicts[k]), int64(after.Verdicts[k]))
	}
	for k := range after.Gaps {
		add(fmt.Sprintf("Gaps[%v]", k), int64(before.Gaps[k]), int64(after.Gaps[k]))
	}
	for k := range after.Refused {
		add(fmt.Sprintf("Refused[%v]", k), int64(before.Refused[k]), int64(after.Refused[k]))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// TestStatsKeys: every map names all its keys from the start, so that a dashboard
// shows zeros and not holes.
func TestStatsKeys(t *testing.T) {
	s := newSite(t, Config{})
	st := s.hub.Stats()
	for what, got := range map[string]string{
		"Broadcasts": fmt.Sprint(slices.Sorted(maps.Keys(st.Broadcasts))),
		"Verdicts":   fmt.Sprint(slices.Sorted(maps.Keys(st.Verdicts))),
		"Gaps":       fmt.Sprint(slices.Sorted(maps.Keys(st.Gaps))),
		"Refused":    fmt.Sprint(slices.Sorted(maps.Keys(st.Refused))),
	} {
		want := map[string]string{
			"Broadcasts": "[buffered transient latest]",
			"Verdicts":   "[fresh gap resumed]",
			"Gaps":       "[evicted expired lagged restarted unknown_cursor]",
			"Refused":    "[full hijack origin panic request revoked shutdown token unavailable upgrade]",
		}[what]
		if got != want {
			t.Errorf("%s: got keys %s, want %s", what, got, want)
		}
	}
	st.Refused["token"], st.Broadcasts[Buffered] = 7, 7
	if again := s.hub.Stats(); again.Refused["token"] != 0 || again.Broadcasts[Buffered] != 0 {
		t.Error("a snapshot shares its maps with the next, want copies")
	}
}

// TestStatsFirstThisSecond: strangers cause refusals, so a log gets one a second
// of each kind.
func TestStatsFirstThisSecond(t *testing.T) {
	var c counters
	for _, step := range []struct {
		r    *refusal
		at   time.Duration
		want bool
	}{
		{refusedToken, 0, true}, {refusedToken, 0, false}, {refusedToken, time.Second - 1, false},
		{refusedOrigin, time.Second - 1, true}, {refusedToken, time.Second, true}, {refusedToken, time.Second + 1, false},
		{refusedOrigin, time.Second, false}, {refusedToken, time.Hour, true},
	} {
		if got := c.firstThisSecond(step.r, int64(step.at)); got != step.want {
			t.Errorf("%s at %v: got %v, want %v", step.r.name, step.at, got, step.want)
		}
	}
}
