package client

// Random schedules of all that can happen between a client and its hub, judged by an
// oracle that knows what was broadcast and what each process was told, and none
// of the client's code.

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

var seeds = flag.Int("seeds", 20, "random schedules of TestProperty")

// TestProperty: see oracle.judge for what must hold.
func TestProperty(t *testing.T) {
	var seen tally
	for seed := range *seeds {
		ok := t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newWorld(t, uint64(seed)).play(&seen) })
		})
		if !ok {
			return
		}
	}
	t.Logf("%+v", seen)
	if *seeds >= 20 {
		seen.enough(t)
	}
}

// A tally counts what the schedules have come to: a property that is never tried
// does not hold for being true.
type tally struct{ handled, missing, lagged, evicted, restarted, reconnects, processes, values int }

func (c *tally) gap(reason usercast.GapReason) {
	switch reason {
	case usercast.GapRestarted:
		c.restarted++
	case usercast.GapLagged:
		c.lagged++
	case usercast.GapEvicted:
		c.evicted++
	}
}

func (c *tally) enough(t *testing.T) {
	if c.handled < 500 || c.missing < 100 || c.lagged < 3 || c.evicted < 8 || c.restarted < 10 ||
		c.reconnects < 100 || c.processes < 40 || c.values < 12 {
		t.Errorf("the schedules do not try enough: %+v", *c)
	}
}

// An entry is one thing that has happened.
type entry struct {
	kind   string // sent, handled, gap, restart
	proc   int    // which process: handled, gap
	ts     usercast.Timestamp
	epoch  int // of the hub that sent it, counted from 0
	global bool
	key    string // of a latest event, or of what ends it
	value  int
	gap    Gap
	class  usercast.Class
}

// A world is a site, one device of alice's in one process after the other, and the
// tape of what happened.
type world struct {
	t    *testing.T
	r    *rand.Rand
	site *site
	proc *process
	n    int // processes so far

	epochs []string // of the hubs so far
	mu     sync.Mutex
	tape   []entry
	errs   []error
	steps  []string
}

type process struct {
	*Client
	cancel context.CancelFunc
	done   chan error
	saved  usercast.Cursor // world.mu guards it
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7))}
	w.site = newSite(t, usercast.Config{BufferSize: 4 + w.r.IntN(30), BufferTTL: time.Hour})
	// A clock that stands still between steps would hide late stamps.
	time.Sleep(time.Second)
	w.epochs = []string{w.site.hub.Cursor("alice").Epoch}
	w.launch(w.site.hub.Cursor("alice"))
	t.Cleanup(func() { w.quit(w.proc) })
	return w
}

func (w *world) add(e entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tape = append(w.tape, e)
}

// launch starts a process from a cursor.
func (w *world) launch(from usercast.Cursor) {
	p, n := &process{done: make(chan error, 1), saved: from}, w.n
	w.n++
	var err error
	p.Client, err = New(Config{
		URL:    "ws://hub/",
		Token:  func(context.Context, TokenReason) (string, error) { return "alice", nil },
		Dial:   w.site.dial,
		Cursor: from,
		SaveCursor: func(c usercast.Cursor) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.saved = c
			return nil
		},
		OnGap: func(g Gap) { w.add(entry{kind: "gap", proc: n, gap: g}) },
		OnError: func(err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.errs = append(w.errs, err)
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	p.On("*", func(ev Event) {
		var value int
		if err := json.Unmarshal(ev.Payload, &value); err != nil {
			w.t.Errorf("payload %s", ev.Payload)
		}
		w.add(entry{kind: "handled", proc: n, ts: ev.Timestamp, global: ev.Global, value: value, class: ev.Class})
		if value%17 == 0 {
			time.Sleep(time.Duration(value%7) * 5 * time.Second)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	go func() { p.done <- p.Run(ctx) }()
	w.proc = p
}

func (w *world) quit(p *process) {
	p.cancel()
	if err := <-p.done; !errors.Is(err, context.Canceled) {
		w.t.Errorf("Run: %v", err)
	}
}

// send broadcasts, while the tape is held: nobody handles what is not yet on it.
func (w *world) send(ev usercast.Event, global bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	value := len(w.tape)
	ev.Payload = value
	e := entry{kind: "sent", epoch: len(w.epochs) - 1, global: global, key: ev.Key, value: value, class: usercast.DefaultClassify(ev)}
	var err error
	if global {
		err = w.site.hub.BroadcastAll(context.Background(), ev)
		e.ts = w.site.hub.Cursor("alice").LastGlobalTs
	} else {
		e.ts, err = w.site.hub.BroadcastContext(context.Background(), "alice", ev)
	}
	if err != nil {
		w.t.Error(err)
	}
	w.tape = append(w.tape, e)
}

// play makes random steps, lets everything settle and judges.
func (w *world) play(seen *tally) {
	for range 30 + w.r.IntN(40) {
		name := w.step()
		w.steps = append(w.steps, name)
		switch w.r.IntN(3) {
		case 0:
			synctest.Wait()
		case 1:
			time.Sleep(time.Duration(w.r.IntN(5000)) * time.Millisecond)
		}
	}
	w.site.setDown(false)
	time.Sleep(3 * time.Minute) // the longest backoff, the longest silence, and slow handlers
	w.site.mu.Lock()
	seen.reconnects += len(w.site.dials) - w.n
	w.site.mu.Unlock()
	seen.processes += w.n
	w.mu.Lock()
	defer w.mu.Unlock()
	if problems := w.judge(seen); len(problems) > 0 {
		w.t.Errorf("%s\nsteps: %s", strings.Join(problems, "\n"), strings.Join(w.steps, ", "))
		for i, e := range w.tape {
			w.t.Logf("%3d %+v", i, e)
		}
	}
}

func (w *world) step() string {
	switch n := w.r.IntN(100); {
	case n < 40:
		k := 1 + w.r.IntN(4)
		for range k {
			w.send(usercast.Event{Type: "E"}, w.r.IntN(5) == 0)
		}
		return fmt.Sprint("send ", k)
	case n < 50:
		key := fmt.Sprint("k", w.r.IntN(3))
		w.send(usercast.Event{Type: "J_PROGRESS", Key: key}, false)
		return "progress " + key
	case n < 53:
		key := fmt.Sprint("k", w.r.IntN(3))
		w.send(usercast.Event{Type: "J_DONE", Key: key}, false)
		return "done " + key
	case n < 57:
		w.send(usercast.Event{Type: "S_PROGRESS"}, false)
		return "transient"
	case n < 61:
		for range 20 + w.r.IntN(60) {
			w.send(usercast.Event{Type: "E"}, false)
		}
		return "burst"
	default:
		return w.harm(n)
	}
}

// harm is what goes wrong between client and hub, and what is done about it.
func (w *world) harm(n int) string {
	line := w.site.newest()
	switch {
	case n < 69 && line != nil:
		line.Close()
		return "cut"
	case n < 77 && line != nil:
		line.mu.Lock()
		defer line.mu.Unlock()
		line.cutIn = w.r.IntN(700)
		return fmt.Sprint("cut in ", line.cutIn)
	case n < 81 && line != nil:
		line.mute()
		return "mute"
	case n < 84:
		w.site.mu.Lock()
		defer w.site.mu.Unlock()
		w.site.down = !w.site.down
		return fmt.Sprint("down ", w.site.down)
	case n < 87:
		w.site.restart()
		w.epochs = append(w.epochs, w.site.hub.Cursor("alice").Epoch)
		w.add(entry{kind: "restart"})
		return "restart"
	case n < 90:
		w.proc.Reconnect()
		return "Reconnect"
	case n < 93:
		w.proc.Probe()
		return "Probe"
	case n < 97:
		w.mu.Lock()
		from := w.proc.saved // what it saves as it dies does not count
		w.mu.Unlock()
		w.quit(w.proc)
		w.launch(from)
		return fmt.Sprintf("new process from %v", from.LastEventTs)
	default:
		time.Sleep(time.Duration(w.r.IntN(120)) * time.Second)
		return "long sleep"
	}
}

// newest returns the newest line, nil if there is none.
func (s *site) newest() *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) == 0 {
		return nil
	}
	return s.lines[len(s.lines)-1]
}
