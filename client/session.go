package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

const (
	// stableAfter is how long a connection must be up after hub.live for the next
	// backoff to begin anew.
	stableAfter = 5 * time.Second
	// probeTimeout is how long a probe may go unanswered.
	probeTimeout = 3 * time.Second
	// silenceSlack is what network and timers may add to the hub's heartbeat.
	silenceSlack = 5 * time.Second
	// defaultHeartbeat is for a hub that announces none.
	defaultHeartbeat = 25 * time.Second
	// goodbyeTimeout is how long a close frame may wait for its answer.
	goodbyeTimeout = time.Second
)

// A session is one connection. One goroutine reads; Run's does all else. Nothing of
// an earlier session can reach a later one: each has an inbox of its own.
type session struct {
	c      *Client
	ws     *websocket.Conn
	stream *stream
	claim  usercast.Cursor // what the handshake has named
	in     *inbox
	buf    bytes.Buffer // the reading goroutine's

	running sync.WaitGroup // everything but Run's goroutine
	stop    context.CancelFunc
	renewed chan error

	// Run's goroutine owns these.
	greeted  bool
	live     bool
	quiet    time.Duration // silence that calls for a probe
	helloBy  time.Time
	stableAt time.Time // zero: not live, or stable already
	probedAt time.Time // zero: no probe waits for its answer
	renewAt  time.Time // zero: no token is to be renewed
	renewing bool
}

func newSession(c *Client, ws *websocket.Conn, st *stream, claim usercast.Cursor) *session {
	st.note()
	return &session{c: c, ws: ws, stream: st, claim: claim, in: newInbox(), renewed: make(chan error, 1)}
}

// run handles what comes until the connection ends, and says why it did.
func (s *session) run(ctx context.Context, helloBy time.Time) error {
	s.helloBy = helloBy
	life, stop := context.WithCancel(ctx)
	s.stop = stop
	s.running.Go(s.read)
	defer s.hangUp()
	for {
		if err := s.wanted(ctx); err != nil {
			return err
		}
		if m, ok := s.in.pop(); ok {
			s.settle(time.Now()) // before m, which may be the end
			if err := s.take(m); err != nil {
				return err
			}
			s.c.saveInBurst(time.Now())
			continue
		}
		s.c.save()
		if err := s.tick(life, time.Now()); err != nil {
			return err
		}
		if err := s.sleep(ctx); err != nil {
			return err
		}
	}
}

// wanted ends the connection politely if that is what the caller wants.
func (s *session) wanted(ctx context.Context) error {
	err := s.c.wanted()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.goodbye()
	}
	return err
}

// sleep waits for something to do.
func (s *session) sleep(ctx context.Context) error {
	left := time.Until(s.due())
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.c.wake:
	case <-s.in.ready:
	case <-timer.C:
	case err := <-s.renewed:
		return s.renewalDone(err)
	}
	return nil
}

// due returns when tick has something to do.
func (s *session) due() time.Time {
	if !s.greeted {
		return s.helloBy
	}
	due := s.stream.heardAt().Add(s.quiet)
	if !s.probedAt.IsZero() {
		due = s.probeEnds()
	}
	if !s.stableAt.IsZero() && s.stableAt.Before(due) {
		due = s.stableAt
	}
	if !s.renewAt.IsZero() && !s.renewing && s.renewAt.Before(due) {
		due = s.renewAt
	}
	return due
}

// tick does what is due. It is asked only when nothing waits in the inbox: an
// answer that has come and is not yet read is no silence.
func (s *session) tick(ctx context.Context, now time.Time) error {
	asked := s.c.takeProbe()
	if !s.greeted {
		if !now.Before(s.helloBy) {
			return errTimeout
		}
		return nil
	}
	s.settle(now)
	switch {
	case !s.probedAt.IsZero():
		if !now.Before(s.probeEnds()) {
			return errUnanswered
		}
	case asked || !now.Before(s.stream.heardAt().Add(s.quiet)):
		s.probe(ctx, now)
	}
	if !s.renewAt.IsZero() && !s.renewing && !now.Before(s.renewAt) {
		s.renew(ctx, now)
	}
	return nil
}

// settle resets the backoff once the connection has held.
func (s *session) settle(now time.Time) {
	if s.stableAt.IsZero() || now.Before(s.stableAt) {
		return
	}
	s.stableAt = time.Time{}
	s.c.attempt = 0
	next := s.c.state
	next.Attempt = 0
	s.c.setState(next)
}

// probe asks the hub whether it is there. A socket is not dead before it left a
// question unanswered.
func (s *session) probe(ctx context.Context, now time.Time) {
	s.probedAt = now
	s.running.Go(func() {
		// Longer than the answer may take: who judges is tick.
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		// An error needs no report: no answer comes then.
		_ = s.ws.Write(ctx, websocket.MessageText, []byte("ping"))
	})
}

// probeEnds returns when the answer is late. While something arrives, it stands in
// line behind it.
func (s *session) probeEnds() time.Time {
	from := s.probedAt
	if heard := s.stream.heardAt(); heard.After(from) {
		from = heard
	}
	return from.Add(probeTimeout)
}

// goodbye closes with a close frame and lets the hub answer.
func (s *session) goodbye() {
	s.in.close() // so that the reading goroutine comes to the answer
	cut := time.AfterFunc(goodbyeTimeout, func() { s.stream.Close() })
	defer cut.Stop()
	_ = s.ws.Close(websocket.StatusNormalClosure, "")
}

// hangUp ends whatever is left of the connection and waits for its goroutines.
func (s *session) hangUp() {
	s.c.mu.Lock()
	s.c.conn = nil
	s.c.mu.Unlock()
	s.stop()
	s.in.close()
	s.stream.Close() // everything else waits for it
	_ = s.ws.CloseNow()
	s.running.Wait()
}

// read is the goroutine that reads, until the connection ends. When nobody listens
// any more it reads on to the end: a close frame may be answered.
func (s *session) read() {
	for {
		m := s.next()
		s.in.push(m)
		s.stream.note() // while the inbox was full, nobody could hear anything
		if m.end != nil {
			return
		}
	}
}

// next reads one message.
func (s *session) next() (m message) {
	// Never a context that ends: coder/websocket would drop the connection.
	kind, r, err := s.ws.Reader(context.Background())
	if err != nil {
		return message{end: err}
	}
	limit := int64(s.c.cfg.MaxEventBytes)
	s.buf.Reset()
	n, err := io.Copy(&s.buf, io.LimitReader(r, limit+1))
	var rest int64
	if err == nil && n > limit {
		rest, err = io.Copy(io.Discard, r)
	}
	if err != nil {
		return message{end: err}
	}
	switch {
	case n > limit:
		m.problem = fmt.Errorf("%w: an event of %d bytes was skipped, Config.MaxEventBytes is %d", ErrTooLarge, n+rest, limit)
	case kind != websocket.MessageText:
		m.problem = badFrame("a binary message of %d bytes", n)
	default:
		m.data = bytes.Clone(s.buf.Bytes())
	}
	if s.buf.Cap() > 64<<10 {
		s.buf = bytes.Buffer{} // one giant event must not stay
	}
	return m
}

// take handles one message. An error ends the connection.
func (s *session) take(m message) error {
	switch {
	case m.end != nil:
		return s.ended(m.end)
	case m.problem != nil:
		s.c.report(m.problem)
		return nil
	case string(m.data) == "pong":
		s.probedAt = time.Time{}
		return nil
	}
	f, err := parseFrame(m.data)
	if err == nil {
		err = s.receive(&f)
	}
	if err != nil {
		s.c.report(err)
		if !s.greeted && f.Type == "hub.hello" {
			return err // nothing that follows would make sense
		}
	}
	return nil
}

// ended turns what ended reading into what it means.
func (s *session) ended(err error) error {
	if ce := (websocket.CloseError{}); errors.As(err, &ce) {
		return &CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	if errors.Is(err, websocket.ErrMessageTooBig) {
		s.c.report(fmt.Errorf("%w: more than %d bytes, which no hub sends", ErrTooLarge, maxEventBytes))
	}
	return fmt.Errorf("%w: %w", errLost, err)
}
