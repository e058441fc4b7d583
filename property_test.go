package usercast

import (
	"context"
	"flag"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
)

var (
	seeds    = flag.Int("seeds", 150, "random schedules of TestProperty")
	seedFrom = flag.Uint64("seed", 1, "the first of them")
)

// TestProperty runs random schedules against the oracle: promises I1 to I7 and I11.
func TestProperty(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n = min(n, 20)
	}
	for seed := *seedFrom; seed < *seedFrom+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) { runSchedule(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d; again with: go test -run TestProperty -seeds 1 -seed %d", seed, seed)
		}
	}
}

// A world is one schedule's hub, its users, and the oracle's view of them.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	site    *site
	ln      *socketListener
	cfg     Config
	start   time.Time
	offset  atomic.Int64 // of the wall clock
	users   []string
	seed    maphash.Seed
	logs    map[string]*model
	all     *model
	devices []*actor
	nonce   int
	trace   []string
}

func runSchedule(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	pick := func(v ...int) int { return v[rng.IntN(len(v))] }
	w := &world{t: t, rng: rng, start: time.Now(), users: []string{"alice", "bob", "eve"}, seed: maphash.MakeSeed()}
	// Two of the users share a shard, and so its gcFloor.
	for i := 0; maphash.String(w.seed, w.users[1])%shardCount != maphash.String(w.seed, w.users[0])%shardCount; i++ {
		w.users[1] = fmt.Sprintf("bob%d", i)
	}
	w.cfg = Config{
		BufferSize: pick(1, 2, 5, 20, 5, 20, 400), // 400 make more than one batch
		BufferTTL:  time.Duration(pick(2, 10, 60)) * time.Second,
		Now:        func() time.Time { return time.Now().Add(time.Duration(w.offset.Load())) },
		OnDisconnect: func(info ConnInfo) {
			for _, d := range w.devices {
				if d.id == info.Device {
					d.goneAt.Store(int64(w.now()) + 1)
				}
			}
		},
	}
	w.ln = newSocketListener(pick(200, 2000, 1<<16, 1<<20))
	w.ln.plain = rng.IntN(3) == 0
	for _, u := range w.users {
		for i := range 2 {
			w.devices = append(w.devices, &actor{w: w, deviceLog: deviceLog{user: u, id: fmt.Sprintf("%s-%d", u, i)}})
		}
	}
	w.boot()
	w.forget()
	for step := 0; step < 120 && !t.Failed(); step++ {
		w.step()
	}
	for _, d := range w.devices {
		d.stall(false)
	}
	w.settle()
	if t.Failed() {
		t.Logf("config: size %d, ttl %v, socket %d, plain %v\n%s", w.cfg.BufferSize, w.cfg.BufferTTL, w.ln.limit, w.ln.plain, strings.Join(w.trace, "\n"))
	}
	for _, d := range w.devices {
		d.cut()
	}
}

// boot starts a hub; the one before is gone, with all it knew.
func (w *world) boot() {
	if w.site != nil {
		w.site.stop()
		w.ln = &socketListener{Listener: pipe.Listen(), limit: w.ln.limit, plain: w.ln.plain}
	}
	w.site = newSiteOn(w.t, w.cfg, w.ln)
	w.site.hub.seed = w.seed
	born := w.site.hub.Cursor("nobody").LastEventTs
	w.logs = map[string]*model{}
	for _, u := range w.users {
		w.logs[u] = newModel(w.cfg.BufferSize, w.cfg.BufferTTL, born)
	}
	w.all = newModel(w.cfg.BufferSize, w.cfg.BufferTTL, born)
}

// forget gives every device's witnesses the logs of today.
func (w *world) forget() {
	for _, d := range w.devices {
		for _, v := range []struct {
			w   *witness
			log *model
		}{{&d.mine, w.logs[d.user]}, {&d.all, w.all}} {
			v.w.log, v.w.got, v.w.view, v.w.checked, v.w.blind = v.log, map[Timestamp]bool{}, map[string]string{}, 0, 0
		}
	}
}

func (w *world) now() time.Duration { return time.Since(w.start) }

func (w *world) tick() {
	for _, d := range w.devices {
		d.reap()
	}
	highest := Timestamp(0)
	for _, m := range w.logs {
		highest = max(highest, m.last)
	}
	for _, m := range w.logs {
		m.tick(w.now(), highest)
	}
	w.all.conns = 1 // never forgotten
	w.all.tick(w.now(), 0)
}

func (w *world) fail(format string, args ...any) {
	w.t.Errorf(format, args...)
}

func (w *world) step() {
	d := w.devices[w.rng.IntN(len(w.devices))]
	switch n := w.rng.IntN(100); {
	case n < 40:
		w.log("broadcast")
		w.broadcast()
	case n < 45:
		w.log("burst")
		for range w.rng.IntN(3 * w.cfg.BufferSize) {
			w.broadcast()
		}
	case n < 48:
		w.log("race")
		w.race()
	case n < 50:
		w.log("many")
		w.many()
	case n < 67:
		if d.sock == nil {
			racing := w.rng.IntN(4) == 0
			w.log("connect %s, racing %v", d.id, racing)
			w.settle()
			d.connect(racing)
		}
	case n < 73:
		if d.sock != nil {
			n := w.rng.IntN(1000)
			w.log("cut %s after %d", d.id, n)
			d.sock.cutAfter(n)
		}
	case n < 77:
		w.log("cut %s", d.id)
		d.cut()
	case n < 81:
		w.log("stall %s %v", d.id, !d.stalled)
		d.stall(!d.stalled)
	case n < 84:
		jump := time.Duration(w.rng.Int64N(int64(2*time.Hour)) - int64(time.Hour))
		w.log("clock %v", jump)
		w.offset.Add(int64(jump))
	case n < 92:
		pause := []time.Duration{time.Microsecond, time.Millisecond, 300 * time.Millisecond, 6 * time.Second, w.cfg.BufferTTL / 2, w.cfg.BufferTTL, 2*w.cfg.BufferTTL + time.Second}[w.rng.IntN(7)]
		w.log("sleep %v", pause)
		time.Sleep(pause)
	case n < 93:
		w.log("restart")
		w.settle()
		for _, d := range w.devices {
			d.cut()
		}
		w.boot()
		w.forget()
	default:
		w.log("settle")
		w.settle()
	}
}

func (w *world) log(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%12v ", w.now())+fmt.Sprintf(format, args...))
}

// draw makes an event of any kind. user is "" for everyone.
func (w *world) draw() (user string, e Event, f fact) {
	w.nonce++
	f.nonce = fmt.Sprintf("n%d", w.nonce)
	if w.rng.IntN(8) > 0 {
		user = w.users[w.rng.IntN(len(w.users))]
	}
	e = Event{Type: "STATE", Payload: map[string]string{"user": user, "nonce": f.nonce, "pad": strings.Repeat("x", w.rng.IntN(300))}}
	f.class = Buffered
	switch w.rng.IntN(6) {
	case 0:
		e.Type, f.class = "A_PROGRESS", Transient
	case 1:
		e.Type, f.class = "B_PROGRESS", Latest
		e.Key = fmt.Sprintf("job:%d", w.rng.IntN(3))
	case 2:
		e.Key = fmt.Sprintf("job:%d", w.rng.IntN(3))
	}
	if w.rng.IntN(5) == 0 {
		e.Except = w.devices[w.rng.IntN(len(w.devices))].id
	}
	f.key, f.except = e.Key, e.Except
	return user, e, f
}

func (w *world) send(user string, e Event) (Timestamp, error) {
	if user != "" {
		return w.site.hub.BroadcastContext(context.Background(), user, e)
	}
	err := w.site.hub.BroadcastAll(context.Background(), e)
	return Timestamp(w.site.hub.everyone.last.Load()), err
}

func (w *world) record(user string, f fact) {
	m := w.logs[user]
	if user == "" {
		m = w.all
	}
	f.at = w.now()
	w.tick()
	if err := m.add(f); err != nil {
		w.fail("%s: %v", user, err)
	}
}

func (w *world) broadcast() {
	user, e, f := w.draw()
	var err error
	if f.ts, err = w.send(user, e); err != nil {
		w.fail("broadcast: %v", err)
		return
	}
	w.record(user, f)
}

// race broadcasts from several goroutines to one user; their order is the hub's.
func (w *world) race() {
	var got []fact
	results := make(chan fact)
	user := w.users[w.rng.IntN(len(w.users))]
	for range 4 {
		_, e, f := w.draw()
		e.Payload.(map[string]string)["user"] = user
		go func() {
			f.ts, _ = w.send(user, e)
			results <- f
		}()
	}
	for range 4 {
		got = append(got, <-results)
	}
	slices.SortFunc(got, func(a, b fact) int { return int(a.ts - b.ts) })
	for _, f := range got {
		w.record(user, f)
	}
}

// many broadcasts one event to all users at once.
func (w *world) many() {
	_, e, f := w.draw()
	e.Payload.(map[string]string)["user"] = "*"
	if err := w.site.hub.BroadcastMany(context.Background(), w.users, e); err != nil {
		w.fail("broadcast to many: %v", err)
	}
	for _, u := range w.users {
		f.ts = w.site.hub.Cursor(u).LastEventTs
		w.record(u, f)
	}
}

// settle lets everything happen that can, and looks at it.
func (w *world) settle() {
	synctest.Wait()
	w.tick()
	for _, d := range w.devices {
		d.look()
	}
}
