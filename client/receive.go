package client

import (
	"strings"
	"time"

	"github.com/usercast-go/usercast"
)

// receive does what a frame asks for. An error means that it was not understood.
func (s *session) receive(f *frame) error {
	if f.Type == "hub.hello" && !s.greeted {
		h, err := f.hello()
		if err == nil {
			s.hello(h)
		}
		return err
	}
	if !s.greeted {
		return badFrame("%s before hub.hello", clip(f.Type))
	}
	switch f.Type {
	case "hub.hello":
		return badFrame("hub.hello twice")
	case "hub.live":
		s.isLive(f)
	case "hub.gap":
		s.gap(f)
	case "hub.heartbeat":
		// Before hub.live something older may still be on its way. After it, this is
		// how a client hears that it is up to date though what happened was not for it.
		if s.live {
			s.c.move(false, f.Timestamp)
		}
	case "hub.expiring":
		s.expiring()
	default:
		if strings.HasPrefix(f.Type, "hub.") {
			return nil // of a later version
		}
		return s.event(f)
	}
	return nil
}

// hello begins the connection where the hub says.
func (s *session) hello(h Hello) {
	s.greeted = true
	s.quiet = defaultHeartbeat + silenceSlack
	if h.Heartbeat > 0 {
		s.quiet = max(h.Heartbeat, time.Second) + silenceSlack
	}
	c := s.c
	c.reason = TokenConnect
	c.begin(s.claim, h)
	c.mu.Lock()
	c.conn = s
	c.mu.Unlock()
	c.cfg.Logger.Debug("usercast client: connected", "conn_id", h.ConnectionID, "verdict", string(h.Verdict), "reason", string(h.GapReason))
	c.setState(State{Phase: Connected, Attempt: c.attempt, Stale: true})
	if c.cfg.OnConnect != nil {
		c.guard("OnConnect", func() error { c.cfg.OnConnect(h); return nil })
	}
}

// begin moves the cursor to where a connection starts that has named claim.
func (c *Client) begin(claim usercast.Cursor, h Hello) {
	start := usercast.Cursor{Epoch: h.Epoch, LastEventTs: h.Timestamp, LastGlobalTs: h.GlobalTimestamp}
	named := claim != (usercast.Cursor{})
	same := claim.Epoch == "" || claim.Epoch == h.Epoch
	c.mu.Lock()
	defer c.mu.Unlock()
	if named && same && h.Verdict == usercast.Resumed {
		start.LastEventTs = max(start.LastEventTs, claim.LastEventTs)
		start.LastGlobalTs = max(start.LastGlobalTs, claim.LastGlobalTs)
	} else if named || h.Verdict == usercast.Gap {
		// A hub that does not resume where it was asked to is one more gap, whatever it
		// calls it: a proxy may have lost the query.
		reason := h.GapReason
		if reason == "" {
			reason = usercast.GapRestarted
		}
		c.owe(reason)
	}
	// The hub goes on with what one of the logs still has, or begins it anew.
	if !same || start.LastEventTs != claim.LastEventTs {
		c.values.drop(false)
	}
	if !same || start.LastGlobalTs != claim.LastGlobalTs {
		c.values.drop(true)
	}
	c.at = start
}

// owe notes a gap that is to be told. The first one since the last was told
// counts: it says from where on things are missing. The caller holds the lock.
func (c *Client) owe(reason usercast.GapReason) {
	if c.owed == nil {
		c.owed = &Gap{Reason: reason, From: c.at}
	}
}

// gap is what the hub says where something is missing; its timestamp is where it goes on.
func (s *session) gap(f *frame) {
	c, global := s.c, f.Scope == scopeAll
	c.mu.Lock()
	c.owe(f.gapReason()) // at a connect hub.hello has said so
	c.values.drop(global)
	c.mu.Unlock()
	c.move(global, f.Timestamp)
	if s.live {
		c.tell()
	}
}

// isLive: everything that was missed has come.
func (s *session) isLive(f *frame) {
	if s.live {
		return
	}
	s.live = true
	s.stableAt = time.Now().Add(stableAfter)
	c := s.c
	c.move(false, f.Timestamp)
	c.tell()
	next := c.state
	next.Stale = false
	c.setState(next)
}

// tell tells the gap that is owed.
func (c *Client) tell() {
	owed := c.owed
	if owed == nil {
		return
	}
	c.cfg.Logger.Info("usercast client: gap", "reason", string(owed.Reason))
	if c.cfg.OnGap != nil {
		c.guard("OnGap", func() error { c.cfg.OnGap(*owed); return nil })
	}
	c.mu.Lock()
	c.owed = nil
	c.mu.Unlock()
}

// event hands one of the application's events to its handlers, once.
func (s *session) event(f *frame) error {
	ev, err := f.event()
	if err != nil {
		return err
	}
	ev.Replayed = !s.live
	c := s.c
	if ev.Timestamp <= *c.place(ev.Global) {
		return nil // seen
	}
	c.mu.Lock()
	c.values.set(&ev)
	c.mu.Unlock()
	c.dispatch(ev)
	c.move(ev.Global, ev.Timestamp)
	return nil
}

// place returns a scope's part of the cursor.
func (c *Client) place(global bool) *usercast.Timestamp {
	if global {
		return &c.at.LastGlobalTs
	}
	return &c.at.LastEventTs
}

// move moves the cursor on. Only hub.hello takes it back.
func (c *Client) move(global bool, to usercast.Timestamp) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.place(global)
	*p = max(*p, to)
}
