package client

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// answer refuses every handshake by HTTP.
func answer(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		w.Write([]byte(body))
	})
}

// holdForever is a hub that says nothing.
func holdForever(_ int, ws *websocket.Conn, _ *http.Request) { ws.Read(context.Background()) }

// TestBackoffBounds: an oracle that knows the rule and none of the code follows
// random histories of failures: every delay is within its bound, all of the
// bound is used, and evenly.
func TestBackoffBounds(t *testing.T) {
	parts := make([]int, 10) // of the bound, how often each tenth was hit
	total := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		low := time.Duration(1+r.IntN(3000)) * time.Millisecond
		high := low + time.Duration(r.IntN(60_000))*time.Millisecond
		c, err := New(Config{URL: "ws://h/", MinBackoff: low, MaxBackoff: high})
		if err != nil {
			t.Fatal(err)
		}
		c.random = r.Float64
		for range 50 {
			c.attempt = r.IntN(80)
			bound := math.Min(float64(high), float64(low)*math.Pow(2, float64(c.attempt)))
			var why error = errLost
			greeted := r.IntN(2) == 0
			least, told := 0.0, false
			switch r.IntN(4) {
			case 0:
				ms := r.IntN(90_000)
				why = &CloseError{usercast.CloseRestarting, fmt.Sprintf("restarting; spreadMs=%d", ms)}
				bound, told = math.Max(bound, float64(ms)*1e6), ms > 0
			case 1:
				why = &CloseError{usercast.CloseUnauthorized, "token invalid"}
				if !greeted {
					least = float64(low)
				}
			case 2:
				why = fmt.Errorf("wrapped: %w", &CloseError{usercast.CloseHubFull, "hub full; spreadMs=99999"})
			}
			got, gotTold := c.delay(why, greeted)
			if d := float64(got); d < least || d > least+bound+1 || gotTold != told {
				t.Fatalf("seed %d, attempt %d, %v: %v (told: %v), want %v to %v (told: %v)", seed, c.attempt, why, got,
					gotTold, time.Duration(least), time.Duration(least+bound), told)
			}
			part := (float64(got) - least) / bound
			parts[min(int(part*10), 9)]++
			total++
		}
	}
	for i, n := range parts {
		if share := float64(n) / float64(total); share < 0.08 || share > 0.12 {
			t.Errorf("%.1f %% of the delays are in tenth %d of their bound, want about 10 %%: %v", 100*share, i, parts)
		}
	}
}

// TestBackoffBoundDoubles: the numbers as they are documented.
func TestBackoffBoundDoubles(t *testing.T) {
	var got []time.Duration
	for n := range 8 {
		got = append(got, backoffBound(time.Second, 30*time.Second, n)/time.Second)
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 30, 30, 30}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	if got := backoffBound(24*time.Hour, 24*time.Hour, math.MaxInt); got != 24*time.Hour {
		t.Errorf("at the most: %v", got)
	}
}

// TestSpread: what a close reason may say.
func TestSpread(t *testing.T) {
	for reason, want := range map[string]time.Duration{
		"restarting; spreadMs=1000":                     time.Second,
		"restarting; spreadMs=60000":                    time.Minute,
		"restarting; spreadMs=300001":                   maxSpread,
		"restarting; spreadMs=99999999999999999999999":  maxSpread,
		"restarting; spreadMs=-1":                       0,
		"restarting; spreadMs=":                         0,
		"restarting; spreadMs=12x":                      12 * time.Millisecond,
		"spreadMs=5; spreadMs=7":                        5 * time.Millisecond,
		"restarting":                                    0,
		"":                                              0,
		"restarting; spreadMs=18446744073709551615 ha!": maxSpread,
	} {
		if got := spread(&CloseError{usercast.CloseRestarting, reason}); got != want {
			t.Errorf("%q: got %v, want %v", reason, got, want)
		}
	}
	if got := spread(errLost); got != 0 {
		t.Errorf("no close reason: got %v", got)
	}
}

// TestBackoffInTime: with the hub away, attempts are made when State says, and the
// bounds hold between them; for many clients the first delays fill the second.
func TestBackoffInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var firsts []time.Duration
		for range 50 {
			s := newServer(t, answer(502, ""))
			s.setDown(true)
			x := s.client(Config{}).start()
			time.Sleep(5 * time.Minute)
			x.stop()
			dials := s.dialled()
			var retries []time.Time
			for _, st := range snapshot(x, &x.states) {
				if !st.RetryAt.IsZero() {
					retries = append(retries, st.RetryAt)
				}
			}
			for n := 1; n < len(dials); n++ {
				bound := min(30*time.Second, time.Second<<min(n-1, 5))
				if d := dials[n].Sub(dials[n-1]); d < 0 || d > bound {
					t.Errorf("attempt %d after %v, want at most %v", n, d, bound)
				}
				if !dials[n].Equal(retries[n-1]) {
					t.Errorf("attempt %d at %v, State said %v", n, dials[n], retries[n-1])
				}
			}
			if len(dials) < 10 {
				t.Errorf("%d attempts in five minutes", len(dials))
			}
			firsts = append(firsts, dials[1].Sub(dials[0]))
		}
		slices.Sort(firsts)
		if firsts[5] > 500*time.Millisecond || firsts[45] < 500*time.Millisecond {
			t.Errorf("first delays from %v to %v, want them spread over a second", firsts[0], firsts[49])
		}
	})
}

// TestBackoffResets only once hub.live is 5 s past: a hub that accepts and falls
// over is left alone ever longer.
func TestBackoffResets(t *testing.T) {
	live := `{"type":"hub.live","timestamp":"` + ts(10) + `"}`
	for _, tt := range []struct {
		name string
		up   time.Duration
		live bool
		want bool
	}{
		{"5 s after hub.live", 5 * time.Second, true, true},
		{"a moment less", 5*time.Second - 1, true, false},
		{"long, without hub.live", 20 * time.Second, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Often, for where the end and the 5 s fall into one moment, either may be first.
			for range 30 {
				synctest.Test(t, func(t *testing.T) {
					s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
						if n < 3 {
							return // falls over at once
						}
						say(ws, hello("e1", "fresh", ts(10)))
						if tt.live {
							time.Sleep(time.Second) // the replay takes its time
							ws.Write(context.Background(), websocket.MessageText, []byte(live))
						}
						time.Sleep(tt.up)
					})
					x := s.client(Config{})
					x.random = func() float64 { return 1 }
					x.start()
					time.Sleep(7*time.Second + tt.up) // backoffs of 1, 2 and 4 s
					if tt.live {
						time.Sleep(time.Second)
					}
					synctest.Wait()
					want := 4
					if tt.want {
						want = 1
					}
					if st := x.State(); st.Phase != Reconnecting || st.Attempt != want {
						t.Errorf("after the connection was lost: %+v, want attempt %d", st, want)
					}
				})
			}
		})
	}
}

// TestRestartSpread: 1012 sends each client away for a random part of what the hub
// announces, by close code to those who were connected and to those who come
// while it is down.
func TestRestartSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const spread = 20_000
		s := newScript(t, func(n int, ws *websocket.Conn, _ *http.Request) {
			ws.Close(usercast.CloseRestarting, fmt.Sprintf("restarting; spreadMs=%d", spread))
		})
		var waits []time.Duration
		for range 100 {
			x := s.client(Config{}).start()
			synctest.Wait()
			st := x.State()
			if st.Code != usercast.CloseRestarting || st.Phase != Reconnecting {
				t.Fatalf("state %+v, want 1012", st)
			}
			x.Probe() // the hub has said when to come back
			synctest.Wait()
			if got := x.State(); got != st {
				t.Errorf("a probe changed %+v to %+v", st, got)
			}
			waits = append(waits, time.Until(st.RetryAt))
			x.stop()
		}
		slices.Sort(waits)
		if waits[0] < 0 || waits[99] > spread*time.Millisecond {
			t.Errorf("waits from %v to %v, want 0 to %d ms", waits[0], waits[99], spread)
		}
		if waits[30] > 10*time.Second || waits[70] < 10*time.Second || waits[5] > 5*time.Second || waits[95] < 15*time.Second {
			t.Errorf("waits are not spread: %v", waits)
		}
	})
}

// TestRealRestart: the same by a real hub, and every client is back, resumed or told.
func TestRealRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, usercast.Config{})
		var all []*subject
		for range 5 {
			all = append(all, s.client(Config{}).start())
		}
		synctest.Wait()
		s.restart()
		time.Sleep(2 * time.Second)
		for _, x := range all {
			if got, want := x.journal(), "hello fresh, hello gap, gap restarted"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			var code int
			for _, st := range snapshot(x, &x.states) {
				code = max(code, st.Code)
			}
			if code != usercast.CloseRestarting {
				t.Errorf("close code %d, want 1012", code)
			}
		}
	})
}
