package usercast

import (
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// farTime is the last moment a time.Time can hold, in the year 292,277,024,627.
var farTime = time.Unix(1<<63-62135596801, 999_999_999)

func TestClampWall(t *testing.T) {
	for _, c := range []struct {
		name string
		t    time.Time
		want Timestamp
	}{
		{"zero", time.Time{}, 1},
		{"year -5000", time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), 1},
		{"the earliest", time.Unix(math.MinInt64, 0), 1},
		{"before 1970 by a nanosecond", time.Unix(0, -1), 1},
		{"1970", time.Unix(0, 0), 1},
		{"a microsecond later", time.Unix(0, 1999), 1},
		{"2026", time.Date(2026, 11, 22, 20, 53, 52, 123_456_789, time.UTC), 1795380832_123456},
		{"the last that a JavaScript number holds", time.UnixMicro(1<<53 - 1), 1<<53 - 1},
		{"one more", time.UnixMicro(1 << 53), 1<<53 - 1},
		{"year 9999", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), 1<<53 - 1},
		{"year 10000", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), 1<<53 - 1},
		{"year 300,000, where UnixMicro overflows", time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC), 1<<53 - 1},
		{"the latest", farTime, 1<<53 - 1},
	} {
		if got := clampWall(c.t); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

// absurdNow are wall clocks that a machine should not have.
var absurdNow = map[string]func() time.Time{
	"year 1":           func() time.Time { return time.Time{} },
	"year -290000":     func() time.Time { return time.Date(-290_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	"1970":             func() time.Time { return time.Unix(0, 0) },
	"year 10000":       func() time.Time { return time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	"year 292 billion": func() time.Time { return farTime },
}

// TestClockAbsurd: whatever the wall clock says, stamps increase and frames can be
// read (frameIn parses their timestamps), live and replayed.
func TestClockAbsurd(t *testing.T) {
	for name, now := range absurdNow {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Now: now})
				d := s.dial("user=alice")
				d.must("hub.live")
				last := s.hub.Cursor("alice").LastEventTs
				for range 3 {
					ts := s.broadcast("alice", ev("E", nil))
					f := d.must("E")
					if ts <= last || f.Timestamp != ts {
						t.Errorf("got stamp %d, on the wire %d; want both equal and above %d", ts, f.Timestamp, last)
					}
					if want := `"timestamp":"` + ts.String() + `"`; !strings.Contains(f.Raw, want) {
						t.Errorf("got %s, want %s in it", f.Raw, want)
					}
					last = ts
				}
				d.c.Close()
				synctest.Wait()
				missed := s.broadcast("alice", ev("MISSED", nil))
				d = s.dial(resume("alice", d.hello.Epoch, last))
				if d.hello.Verdict != Resumed {
					t.Errorf("got %s, want resumed", d.first.Raw)
				}
				if f := d.must("MISSED"); f.Timestamp != missed {
					t.Errorf("replayed with %d, want %d", f.Timestamp, missed)
				}
			})
		})
	}
}

// TestClockAbsurdHello: hub.hello says where the connection starts, or a client
// that drops before its first event has no cursor to come back with.
func TestClockAbsurdHello(t *testing.T) {
	for name, now := range absurdNow {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Now: now})
				d := s.dial("user=alice")
				want := `,"timestamp":"` + s.hub.Cursor("alice").LastEventTs.String() + `"`
				if !strings.Contains(d.first.Raw, want) {
					t.Errorf("got hello %s, want %s in it", d.first.Raw, want)
				}
			})
		})
	}
}

// TestClockGoesBack (I11): by seconds, by years and to absurd times.
func TestClockGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wall atomic.Pointer[time.Time]
		set := func(now time.Time) { wall.Store(&now) }
		start := time.Now()
		set(start)
		s := newSite(t, Config{Now: func() time.Time { return *wall.Load() }})
		d := s.dial("user=alice")
		d.must("hub.live")
		last := d.first.Timestamp
		for _, now := range []time.Time{start, start.Add(-time.Second), start.AddDate(-20, 0, 0), {},
			start.Add(time.Hour), start.Add(59 * time.Minute), farTime, start, farTime} {
			set(now)
			for range 2 {
				ts := s.broadcast("alice", ev("E", nil))
				if ts <= last {
					t.Errorf("clock at %v: got stamp %d, want above %d", now, ts, last)
				}
				if want := clampWall(now); want > last && ts != want {
					t.Errorf("clock at %v: got stamp %d, want the clock's %d", now, ts, want)
				}
				last = ts
				if f := d.must("E"); f.Timestamp != ts {
					t.Errorf("got %s, want timestamp %v", f.Raw, ts)
				}
			}
		}
		if got := s.hub.Cursor("alice").LastEventTs; got != last {
			t.Errorf("cursor %d, want %d", got, last)
		}
	})
}

// TestClockJumpMovesNoDuration: what is kept, and for how long, follows the
// monotonic clock.
func TestClockJumpMovesNoDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var offset atomic.Int64
		s := newSite(t, Config{BufferTTL: time.Minute, Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }})
		s.broadcast("alice", ev("E", nil))
		offset.Store(int64(24 * time.Hour))
		time.Sleep(30 * time.Second)
		if got := s.hub.Stats().BufferedEvents; got != 1 {
			t.Errorf("after a jump ahead by a day: %d events kept, want 1", got)
		}
		offset.Store(-int64(24 * time.Hour))
		time.Sleep(31 * time.Second)
		if got := s.hub.Stats().BufferedEvents; got != 0 {
			t.Errorf("after a jump back and the TTL: %d events kept, want 0", got)
		}
	})
}

func TestClockMonoAgreesWithRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, now := range map[string]func() time.Time{"nil": nil, "Config.Now": func() time.Time { return time.Unix(1, 0) }} {
			c := newClock(now)
			time.Sleep(1500 * time.Millisecond)
			wall, mono := c.read()
			if want := int64(1500 * time.Millisecond); mono != want || c.mono() != want {
				t.Errorf("%s: read %d, mono %d, want %d", name, mono, c.mono(), want)
			}
			if want := c.wall(); wall != want {
				t.Errorf("%s: read %d, wall %d", name, wall, want)
			}
		}
	})
}
