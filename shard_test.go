package usercast

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// loneShard is a shard without a hub, for users who would else be spread.
func loneShard(ttl time.Duration) *shard {
	s := new(shard)
	s.init(&shared{clock: newClock(nil), epoch: "e", bufferSize: 10, ttl: int64(ttl),
		logger: slog.New(slog.NewTextHandler(io.Discard, nil))}, 100)
	return s
}

// put publishes a small event.
func (s *shard) put(t testing.TB, user string, wall Timestamp, at int64) Timestamp {
	t.Helper()
	d, err := newDraft(&Event{Type: "E"}, Buffered, "", 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	return s.publish(user, &d, wall, at)
}

// retainedStamps lists when each of all retained entries was stamped, oldest first.
func (h *Hub) retainedStamps() (at []int64) {
	collect := func(l *log) {
		for i := range l.ring.len() {
			at = append(at, l.ring.at(i).at)
		}
		for i := range l.slots {
			at = append(at, l.slots[i].at)
		}
		for i := range l.recent.len() {
			at = append(at, l.recent.at(i).at)
		}
	}
	for i := range h.shards {
		s := &h.shards[i]
		s.mu.Lock()
		for _, u := range s.users {
			collect(&u.log)
		}
		s.mu.Unlock()
	}
	h.everyone.mu.Lock()
	collect(&h.everyone.log)
	h.everyone.mu.Unlock()
	slices.Sort(at)
	return at
}

// TestShardOldestGoFirst: beyond MaxBufferBytes the oldest event of all users
// goes, whoever's it is and whatever its class, and not one more than must.
func TestShardOldestGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 64 << 10
		rng := rand.New(rand.NewPCG(4, 4))
		s := newSite(t, Config{MaxBufferBytes: limit, MaxEventBytes: 4 << 10, BufferSize: 10_000})
		hear(s.dial("user=u1")) // keeps transients; others' are kept by nobody
		var alive []int64       // the stamps that should be retained, oldest first
		gaveUp := 0
		for n := range 3000 {
			time.Sleep(time.Microsecond) // no two at once
			e := newSizedEvent(n, rng.IntN(200))
			if rng.IntN(10) == 0 {
				e.Type, e.Key = "X_PROGRESS", fmt.Sprint(n) // one of its own, so that none replaces another
			}
			if rng.IntN(10) == 0 {
				if err := s.hub.BroadcastAll(t.Context(), ev("ALL", n)); err != nil {
					t.Fatal(err)
				}
			} else {
				s.broadcast(fmt.Sprint("u", rng.IntN(400)), e)
			}
			alive = append(alive, s.hub.clock.mono())
			st := s.hub.Stats()
			if st.BufferedBytes > limit {
				t.Fatalf("after event %d: %d bytes buffered, limit %d", n, st.BufferedBytes, limit)
			}
			if lost := len(alive) - int(st.BufferedEvents); lost > 0 {
				alive = alive[lost:]
				gaveUp += lost
			}
			if n%100 == 99 {
				if got := s.hub.retainedStamps(); !slices.Equal(got, alive) {
					t.Fatalf("after event %d: retained are not the newest %d", n, len(alive))
				}
			}
		}
		if st := s.hub.Stats(); gaveUp == 0 || st.BufferedBytes < limit-1000 {
			t.Errorf("gave up %d events, %d bytes are left; want some, and hardly less than %d", gaveUp, st.BufferedBytes, limit)
		}
	})
}

// TestShardEvictedUsersAreTold: who lost an event to others' gets a gap, who lost
// none resumes.
func TestShardEvictedUsersAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxBufferBytes: 4 << 10, MaxEventBytes: 2 << 10})
		cursors := map[string]Cursor{}
		for _, u := range []string{"alice", "bob"} {
			cursors[u] = s.hub.Cursor(u)
		}
		for n, u := range []string{"alice", "bob", "bob"} {
			s.broadcast(u, newSizedEvent(n, 1000))
			time.Sleep(time.Millisecond)
		}
		s.broadcast("carol", newSizedEvent(3, 1000))
		for u, want := range map[string]string{"alice": "gap evicted: hub.gap hub.live", "bob": "resumed : SIZED SIZED hub.live"} {
			d := s.dial(resume(u, cursors[u].Epoch, cursors[u].LastEventTs))
			var types []string
			for _, f := range d.until("hub.live") {
				types = append(types, f.Type)
			}
			if got := fmt.Sprintf("%s %s: %s", d.hello.Verdict, d.hello.Reason, strings.Join(types, " ")); got != want {
				t.Errorf("%s: got %s, want %s", u, got, want)
			}
		}
	})
}

// TestShardManyUsersStayWithinBounds: very many users with one event each.
func TestShardManyUsersStayWithinBounds(t *testing.T) {
	users := 200_000
	if raceEnabled || testing.Short() {
		users = 20_000
	}
	const limit = 2 << 20
	s := newSite(t, Config{MaxBufferBytes: limit, BufferTTL: time.Hour})
	for n := range users {
		s.broadcast(fmt.Sprint("user", n), ev("E", "a payload of some length"))
		if got := s.hub.stats.bufferedBytes.Load(); got > limit {
			t.Fatalf("%d bytes buffered after user %d, limit %d", got, n, limit)
		}
	}
	st := s.hub.Stats()
	if st.Logs != int64(users) || st.BufferedBytes < limit-500 || st.BufferedEvents >= int64(users) {
		t.Errorf("%d logs, %d events of %d bytes; want %d logs, fewer events, just under %d bytes", st.Logs, st.BufferedEvents, st.BufferedBytes, users, limit)
	}
}

// TestShardOneEventAsLargeAsAll: the smallest hub that New allows still keeps its
// bound, and a device is told when it lost the event so.
func TestShardOneEventAsLargeAsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{MaxBufferBytes: 300, MaxEventBytes: 300})
		d := s.dial("user=alice")
		d.must("hub.live")
		c := soleConn(t, s.hub, "alice")
		synctest.Wait()
		s.broadcast("alice", ev("E", strings.Repeat("x", 200)))
		if got := s.hub.Stats().BufferedBytes; got > 300 {
			t.Errorf("%d bytes buffered, limit 300", got)
		}
		if f, err := d.next(); err != nil || f.Type != "E" && f.Type != "hub.gap" {
			t.Errorf("got %s, %v; want the event, or a gap", f.Raw, err)
		}
		if got := soleConn(t, s.hub, "alice"); got != c {
			t.Error("the connection is another")
		}
	})
}

// TestShardForgottenUsers (I11): timestamps go on increasing for a user of whom
// nothing is known any more, though the clock went back, and a cursor from before
// is a gap if something may have been missed.
func TestShardForgottenUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset atomic.Int64
		s := newSite(t, Config{BufferTTL: 10 * time.Second, Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }})
		rng := rand.New(rand.NewPCG(5, 5))
		last := map[string]Timestamp{}
		for range 20 {
			offset.Store(rng.Int64N(int64(2*time.Hour)) - int64(time.Hour))
			for range 100 {
				u := fmt.Sprint("u", rng.IntN(300))
				typ := []string{"E", "E_PROGRESS"}[rng.IntN(2)]
				ts := s.broadcast(u, ev(typ, nil))
				if ts <= last[u] {
					t.Fatalf("%s: got %v after %v", u, ts, last[u])
				}
				last[u] = ts
			}
			time.Sleep(25 * time.Second)
			synctest.Wait()
			if got := s.hub.Stats().Logs; got != 0 {
				t.Fatalf("%d logs after two TTLs, want 0", got)
			}
		}
		for u, ts := range last {
			sh := s.hub.shardOf(u)
			if sh.gcFloor < ts {
				t.Errorf("gcFloor %v, want at least %s's last %v", sh.gcFloor, u, ts)
			}
			if d := s.dial(resume(u, s.hub.epoch, ts-1)); d.hello.Verdict != Gap || d.hello.Reason != GapExpired {
				t.Errorf("%s back with an old cursor: %s, want gap expired", u, d.first.Raw)
			} else {
				d.c.Close()
			}
		}
	})
}

// TestShardKeepsWhoIsNotIdle: a device that was there within the TTL finds its
// user's log as it left it (I4), however long it stayed.
func TestShardKeepsWhoIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		rng := rand.New(rand.NewPCG(8, 8))
		s := newSite(t, Config{BufferTTL: ttl})
		ts := s.broadcast("alice", ev("E", nil))
		for visit := range 40 {
			d := s.dial(resume("alice", s.hub.epoch, ts))
			if d.hello.Verdict != Resumed {
				t.Fatalf("visit %d: got %s, want resumed", visit, d.first.Raw)
			}
			// Others come, are forgotten, and raise the shard's floor.
			for n := range 500 {
				s.broadcast(fmt.Sprint("other", visit, "-", n), ev("E_PROGRESS", nil))
			}
			h := hear(d)
			time.Sleep(time.Duration(rng.Int64N(int64(3 * ttl / 2))))
			d.c.Close()
			<-h.ended
			time.Sleep(time.Duration(rng.Int64N(int64(ttl - time.Second))))
		}
	})
}

// TestShardSweepWorksInPortions: the lock is let go in between, and in the end all
// is gone.
func TestShardSweepWorksInPortions(t *testing.T) {
	const ttl, users = time.Second, 3 * sweepSome
	s := loneShard(ttl)
	for n := range users {
		s.put(t, fmt.Sprint("u", n), 1000, 0)
	}
	expired := int64(ttl)
	for turn := 1; turn <= 3; turn++ {
		more := s.sweep(expired)
		if got, want := s.stats.bufferedEvents.Load(), int64(users-turn*sweepSome); got != want || !more {
			t.Errorf("turn %d: %d events left, more %v; want %d and more", turn, got, more, want)
		}
	}
	if s.sweep(expired) {
		t.Error("a sweep that found nothing asks for more")
	}
	if len(s.users) != users || len(s.idle) != users {
		t.Errorf("%d users, %d of them idle; want %d both", len(s.users), len(s.idle), users)
	}
	idle := s.clock.mono() + int64(ttl) + 1
	for turn := 1; turn <= 3; turn++ {
		more := s.sweep(idle)
		if got, want := len(s.users), users-turn*sweepSome; got != want || !more {
			t.Errorf("turn %d: %d users left, more %v; want %d and more", turn, got, more, want)
		}
	}
	if s.sweep(idle) || s.stats.logs.Load() != 0 || s.stats.bufferedBytes.Load() != 0 || s.idle != nil {
		t.Errorf("%d logs, %d bytes, %d idle left; want none", s.stats.logs.Load(), s.stats.bufferedBytes.Load(), len(s.idle))
	}
	if want := Timestamp(1000); s.gcFloor != want {
		t.Errorf("gcFloor %d, want %d", s.gcFloor, want)
	}
	if ts := s.put(t, "u1", 0, idle); ts != 1001 {
		t.Errorf("a forgotten user's next stamp is %d, want 1001", ts)
	}
}

// TestShardOldestKey: shard.oldest may be early, never late, and after a giveUp it
// is exact.
func TestShardOldestKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	s := loneShard(time.Hour)
	truth := func() int64 {
		oldest := int64(1<<63 - 1)
		for _, u := range s.users {
			if at, ok := u.log.oldest(); ok {
				oldest = min(oldest, at)
			}
		}
		return oldest
	}
	for at := int64(1); at < 3000; at++ {
		s.put(t, fmt.Sprint("u", rng.IntN(50)), Timestamp(at), at)
		if got := s.oldest.Load(); got > truth() {
			t.Fatalf("step %d: oldest says %d, but %d is there", at, got, truth())
		}
		if rng.IntN(2) == 0 {
			before, want := s.stats.bufferedEvents.Load(), truth()
			for s.stats.bufferedEvents.Load() == before { // one that only corrects the key is allowed
				s.giveUp(s.oldest.Load())
			}
			if got := truth(); got <= want {
				t.Fatalf("step %d: gave up another than the oldest, %d is still there", at, got)
			}
			if got := s.oldest.Load(); got != truth() {
				t.Fatalf("step %d: oldest says %d, want %d", at, got, truth())
			}
		}
	}
	for s.oldest.Load() != 1<<63-1 {
		s.giveUp(s.oldest.Load())
	}
	if got := s.stats.bufferedEvents.Load(); got != 0 || len(s.retained) != 0 {
		t.Errorf("%d events, %d users in the heap; want none", got, len(s.retained))
	}
}

// TestShardGiveUpKeepsTheYounger: what has become young meanwhile stays.
func TestShardGiveUpKeepsTheYounger(t *testing.T) {
	s := loneShard(time.Hour)
	s.put(t, "u", 1, 50)
	s.giveUp(49)
	if got := s.stats.bufferedEvents.Load(); got != 1 {
		t.Errorf("%d events after giving up what is older, want 1", got)
	}
	s.giveUp(50)
	if got := s.stats.bufferedEvents.Load(); got != 0 {
		t.Errorf("%d events, want 0", got)
	}
	s.giveUp(1 << 62) // nothing is left
}

// TestShardRevocationsAreForgotten when no handshake that they are for can still
// be under way.
func TestShardRevocationsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		revoked := func() (n int) {
			for i := range s.hub.shards {
				sh := &s.hub.shards[i]
				sh.mu.Lock()
				n += len(sh.revoked)
				sh.mu.Unlock()
			}
			return n
		}
		for n := range 500 {
			s.hub.Disconnect(fmt.Sprint("u", n), "")
		}
		time.Sleep(handshakeTimeout + time.Second)
		if got := revoked(); got != 500 {
			t.Errorf("%d revocations while handshakes may still be under way, want 500", got)
		}
		time.Sleep(handshakeTimeout + time.Second)
		if got := revoked(); got != 0 {
			t.Errorf("%d revocations later, want 0", got)
		}
	})
}

// TestShardParts: connections leave in any order, each once, and the list of the
// shard stays whole.
func TestShardParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	s := loneShard(time.Hour)
	s.everyone.log.init("e", 100, 100, 10)
	var conns []*conn
	for n := range 200 {
		c := &conn{shared: s.shared, info: ConnInfo{ID: fmt.Sprint(n), UserID: fmt.Sprint("u", n%30)}}
		s.join(c, claim{}, claim{})
		s.stats.conns.Add(1)
		conns = append(conns, c)
	}
	rng.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	users := map[string]int{}
	for _, c := range conns {
		users[c.info.UserID]++
	}
	for i, c := range conns {
		if !s.part(c) || s.part(c) {
			t.Fatalf("connection %d: want to part once", i)
		}
		if users[c.info.UserID]--; users[c.info.UserID] == 0 {
			delete(users, c.info.UserID)
		}
		left := 0
		s.each(func(o *conn) {
			if s.conns[o.slot] != o {
				t.Fatalf("after %d parted: a connection is not where its slot says", i+1)
			}
			left++
		})
		if got := s.stats.users.Load(); left != len(conns)-i-1 || got != int64(len(users)) {
			t.Fatalf("after %d parted: %d connections of %d users, want %d of %d", i+1, left, got, len(conns)-i-1, len(users))
		}
	}
}
