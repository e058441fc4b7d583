package client

import (
	"context"
	"errors"
	"time"

	"github.com/usercast-go/usercast"
)

// loop makes one connection after the other.
func (c *Client) loop(ctx context.Context) error {
	c.setState(State{Phase: Connecting, Stale: true})
	c.attempt = 0
	for !c.isOver(ctx) {
		greeted, err := c.connect(ctx)
		c.heed(err)
		c.save()
		switch {
		case c.isOver(ctx):
		case final(err):
			return err
		default:
			c.pause(ctx, err, greeted)
		}
	}
	if c.isClosed() {
		return nil
	}
	return context.Cause(ctx)
}

// isOver says whether Run's caller wants it to end.
func (c *Client) isOver(ctx context.Context) bool { return ctx.Err() != nil || c.isClosed() }

// rest is where Run has ended, and why.
func (c *Client) rest(err error) {
	s := State{Phase: Idle, Stale: true}
	if c.isClosed() || final(err) {
		s.Phase = Closed
	}
	if final(err) {
		s.Reason, s.Code = reasonText(err), closeCode(err)
	}
	c.setState(s)
}

// connect makes one connection and returns why it has ended, or why there is none.
// greeted says whether hub.hello came.
func (c *Client) connect(ctx context.Context) (greeted bool, err error) {
	by := time.Now().Add(c.cfg.ConnectTimeout)
	attempt, cancel := context.WithDeadlineCause(ctx, by, errTimeout)
	defer cancel()
	attempt, interrupt := context.WithCancelCause(attempt)
	defer interrupt(nil)
	if !c.attempting(func() { interrupt(errAgain) }) {
		return false, ErrClosed
	}
	s, err := c.dial(attempt)
	c.attempted()
	if err != nil {
		if cause := context.Cause(attempt); cause != nil && !errors.Is(err, ErrUnauthorized) {
			err = cause // whatever was under way only says that it was cancelled
		}
		return false, err
	}
	err = s.run(ctx, by)
	return s.greeted, err
}

// attempting begins an attempt, which is all that Reconnect and Probe wanted so
// far. It returns false if the client is closed.
func (c *Client) attempting(interrupt context.CancelFunc) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.again, c.probe, c.interrupt = false, false, interrupt
	if c.closed {
		c.interrupt = nil
	}
	return !c.closed
}

func (c *Client) attempted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt = nil
}

// pause waits until the next attempt is due.
func (c *Client) pause(ctx context.Context, why error, greeted bool) {
	next := State{Phase: Reconnecting, Stale: true, Reason: reasonText(why), Code: closeCode(why)}
	c.cfg.Logger.Debug("usercast client: not connected", "reason", next.Reason, "code", next.Code, "attempt", c.attempt)
	if errors.Is(why, errAgain) || errors.Is(why, errUnanswered) {
		// Wanted now; and a connection that was good until it fell silent is no
		// failed attempt.
		next.Attempt = c.attempt
		c.setState(next)
		return
	}
	wait, told := c.delay(why, greeted)
	c.attempt++
	next.Attempt, next.RetryAt = c.attempt, time.Now().Add(wait)
	c.setState(next)
	c.wait(ctx, wait, told)
	next.RetryAt = time.Time{}
	c.setState(next)
}

func (c *Client) wait(ctx context.Context, d time.Duration, told bool) {
	due := time.Now().Add(d)
	for !c.hurried(told) {
		left := time.Until(due)
		if left <= 0 {
			return
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			return
		case <-c.wake:
			timer.Stop()
		}
	}
}

// hurried says whether someone wants the next attempt now. A Probe does not, if
// the hub has told when to come back.
func (c *Client) hurried(told bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	probe := c.probe
	c.probe = false
	return c.closed || c.again || probe && !told
}

// takeProbe returns whether Probe was called since it was last asked.
func (c *Client) takeProbe() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	probe := c.probe
	c.probe = false
	return probe
}

// wanted says what Close or Reconnect wants of an open connection; nil: that it goes on.
func (c *Client) wanted() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.again:
		return errAgain
	}
	return nil
}

func (c *Client) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// setState tells OnState if something differs.
func (c *Client) setState(s State) {
	if s == c.state {
		return
	}
	c.mu.Lock()
	c.state = s
	c.mu.Unlock()
	if c.cfg.OnState != nil {
		c.guard("OnState", func() error { c.cfg.OnState(s); return nil })
	}
}

// saveEvery is how often the cursor is saved in a burst that does not end.
const saveEvery = time.Second

// save hands the cursor to SaveCursor if it has moved.
func (c *Client) save() {
	at := c.Cursor()
	if c.cfg.SaveCursor == nil || at == c.saved {
		return
	}
	c.saved, c.savedAt = at, time.Now()
	c.guard("SaveCursor", func() error { return c.cfg.SaveCursor(at) })
}

// saveInBurst saves the cursor though more is waiting, but not often.
func (c *Client) saveInBurst(now time.Time) {
	if now.Sub(c.savedAt) >= saveEvery {
		c.save()
	}
}

// reasonText is an error as a State shows it.
func reasonText(err error) string {
	if ce := (*CloseError)(nil); errors.As(err, &ce) {
		return ce.Reason
	}
	return err.Error()
}

// heed notes why the next token is asked for.
func (c *Client) heed(err error) {
	ce := (*CloseError)(nil)
	if !errors.As(err, &ce) || ce.Code != usercast.CloseUnauthorized {
		return
	}
	c.reason = TokenRefused
	if ce.Reason == "token expired" {
		c.reason = TokenExpired
	}
}
