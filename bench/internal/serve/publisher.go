package serve

import (
	"sync"
	"time"

	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/mono"
)

// tick is how often a paced publisher looks what is due. Node's timers do not go below it, so nobody's does.
const tick = time.Millisecond

// publisher plays the application: one goroutine that calls Broadcast.
type publisher struct {
	contender Contender
	round     int64 // last round published; only run touches it, and commands do not overlap
	hotSeq    int64
	users     []string
	prefix    string // of the users

	mu    sync.Mutex
	acked int64
	moved *sync.Cond // acked has grown
}

func newPublisher(c Contender) *publisher {
	p := &publisher{contender: c}
	p.moved = sync.NewCond(&p.mu)
	return p
}

// ack notes that every device has received the round.
func (p *publisher) ack(round int64) {
	p.mu.Lock()
	p.acked = max(p.acked, round)
	p.mu.Unlock()
	p.moved.Signal()
}

// run carries out one publish command.
func (p *publisher) run(c control.Command) control.Reply {
	p.nameUsers(c)
	start, first := time.Now(), p.round
	var err error
	if c.Rate > 0 {
		err = p.paced(c)
	} else {
		err = p.saturate(c)
	}
	r := control.Reply{ID: c.ID, Round: p.round, Events: (p.round - first) * int64(c.Users), Nanos: int64(time.Since(start))}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// saturate publishes round after round, never more than Window rounds ahead of the slowest device.
func (p *publisher) saturate(c control.Command) error {
	end := time.Now().Add(time.Duration(c.Millis) * time.Millisecond)
	last := p.round + c.Rounds
	for (c.Millis > 0 && time.Now().Before(end)) || p.round < last {
		p.awaitWindow(c.Window)
		for _, user := range p.users {
			if err := p.broadcast(user, p.round+1); err != nil {
				return err
			}
		}
		p.round++
	}
	return nil
}

func (p *publisher) awaitWindow(window int64) {
	if window == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.round-p.acked >= window {
		p.moved.Wait()
	}
}

// paced publishes what is due at each tick, up to the first whole round after the time is over.
func (p *publisher) paced(c control.Command) error {
	perRound := int64(c.Users)
	rounds := (int64(c.Rate)*c.Millis/1000 + perRound - 1) / perRound
	first, start := p.round, time.Now()
	for n := int64(0); n < rounds*perRound; {
		due := min(int64(time.Since(start).Seconds()*float64(c.Rate)), rounds*perRound)
		for ; n < due; n++ {
			if err := p.broadcast(p.users[n%perRound], first+n/perRound+1); err != nil {
				return err
			}
			if c.Hot != "" {
				p.hotSeq++
				if err := p.broadcast(c.Hot, p.hotSeq); err != nil {
					return err
				}
			}
		}
		time.Sleep(tick)
	}
	p.round = first + rounds
	return nil
}

func (p *publisher) broadcast(user string, seq int64) error {
	return p.contender.Broadcast(user, event.New(seq, mono.Now()))
}

// nameUsers prepares the IDs. It keeps them for the next command, so that one without rounds can have them ready
// before a measurement begins.
func (p *publisher) nameUsers(c control.Command) {
	if len(p.users) == c.Users && p.prefix == c.Prefix {
		return
	}
	p.users, p.prefix = make([]string, c.Users), c.Prefix
	for i := range p.users {
		p.users[i] = c.Prefix + event.UserID(i)
	}
}
