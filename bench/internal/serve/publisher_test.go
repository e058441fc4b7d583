package serve

import (
	"maps"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/event"
)

// recorder remembers the last sequence number of each user.
type recorder struct {
	http.Handler
	mu   sync.Mutex
	last map[string]int64
	t    *testing.T
}

func (r *recorder) Broadcast(user string, p event.Payload) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.Seq != r.last[user]+1 {
		r.t.Errorf("%s: event %d after %d", user, p.Seq, r.last[user])
	}
	r.last[user] = p.Seq
	return nil
}

func (r *recorder) Connections() int { return 0 }

func (r *recorder) seen() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.last)
}

func TestPublisherStaysWithinTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{last: map[string]int64{}, t: t}
		p := newPublisher(r)
		done := make(chan control.Reply, 1)
		go func() { done <- p.run(control.Command{Users: 2, Rounds: 5, Window: 2}) }()

		for acked := int64(0); acked <= 2; acked++ {
			p.ack(acked)
			synctest.Wait() // it has gone as far as it goes
			want := acked + 2
			if got := r.seen(); got["u0"] != want || got["u1"] != want {
				t.Errorf("%d acknowledged: %v published, want %d each", acked, got, want)
			}
		}
		p.ack(3)
		if reply := <-done; reply.Round != 5 || reply.Events != 10 {
			t.Errorf("got %+v, want round 5 and 10 events", reply)
		}
	})
}

func TestPublisherPacesWholeRounds(t *testing.T) {
	r := &recorder{last: map[string]int64{}, t: t}
	p := newPublisher(r)
	reply := p.run(control.Command{Users: 30, Rate: 1000, Millis: 50, Hot: "hot"})
	if reply.Round != 2 || reply.Events != 60 { // 50 are due: two rounds of 30
		t.Errorf("got %+v, want 2 rounds and 60 events", reply)
	}
	if took := time.Duration(reply.Nanos); took < 55*time.Millisecond {
		t.Errorf("60 events at 1,000 per second took %v", took)
	}
	if got := r.seen()["hot"]; got != 60 {
		t.Errorf("the hot user got %d events, want one beside each of the 60", got)
	}
}
