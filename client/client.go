package client

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// A Client is one device of a user. [New] makes it and [Client.Run] keeps it
// connected. All its methods are safe for concurrent use, and all of them may be
// called by its own handlers and callbacks, except that Run then returns
// [ErrRunning].
type Client struct {
	cfg      Config
	url      *url.URL
	base     http.RoundTripper // under every handshake
	http     *http.Client
	random   func() float64 // in [0, 1)
	handlers handlers
	wake     chan struct{} // holds a token when Close, Reconnect or Probe was called

	// Run's goroutine owns these.
	attempt int         // that failed in a row
	reason  TokenReason // to ask the next token for
	tokenAt time.Time   // when the last one was asked for
	saved   usercast.Cursor
	savedAt time.Time

	mu sync.Mutex
	// mu guards the rest. Run's goroutine alone writes state, at, owed, values and
	// conn, so it reads them without.
	running   bool
	closed    bool
	again     bool               // Reconnect was called
	probe     bool               // Probe was called
	interrupt context.CancelFunc // ends the attempt that is under way; nil: none is
	state     State
	at        usercast.Cursor // up to where handlers have run
	owed      *Gap            // not yet told
	values    values
	conn      *session // that has had hub.hello; nil: none
}

// New makes a client. It opens nothing and starts no goroutine. An error names the
// field and wraps [ErrInvalidConfig].
func New(cfg Config) (*Client, error) {
	cfg, u, err := cfg.normalise()
	if err != nil {
		return nil, err
	}
	c := &Client{
		cfg:    cfg,
		url:    u,
		random: rand.Float64,
		wake:   make(chan struct{}, 1),
		reason: TokenConnect,
		saved:  cfg.Cursor,
		state:  State{Phase: Idle, Stale: true},
		at:     cfg.Cursor,
	}
	c.http, c.base = httpClient(cfg.HTTPClient)
	return c, nil
}

// Run connects, stays connected and runs the handlers, until
//
//   - ctx ends: it returns [context.Cause] of it;
//   - [Client.Close] is called: nil;
//   - the server says stop: a [CloseError] that wraps [ErrRevoked] or [ErrReplaced];
//   - Token says stop: its error, which wraps [ErrUnauthorized].
//
// Nothing else ends it: whatever fails is tried again. When it returns, no goroutine of
// the client's is left, and no handler or callback runs any more; it therefore
// waits for the handler that is running. It closes an open connection politely, for
// which a hub that does not answer has a second (and five more if TLS has something
// to say to it). It may be called again, except after Close, and goes on where it
// stopped. Only one Run at a time: another returns [ErrRunning].
func (c *Client) Run(ctx context.Context) (err error) {
	c.mu.Lock()
	switch {
	case c.closed:
		err = ErrClosed
	case c.running:
		err = ErrRunning
	default:
		c.running, c.again, c.probe = true, false, false
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	returned := false
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running = false; !returned { // a handler has ended this goroutine
			c.state = State{Phase: Idle, Stale: true}
		}
	}()
	err = c.loop(ctx)
	c.rest(err)
	returned = true
	return err
}

// Close ends Run for good. It does not wait for it, so that handlers may call it:
// the other handlers of that event still run, and none of a later one. More than
// one call does no harm.
func (c *Client) Close() { c.command(func() { c.closed = true }) }

// Reconnect connects at once, whatever is open, under way or waited for: for a
// "try now" button. What was missed meanwhile follows as after any reconnect. It
// does nothing while Run does not run.
func (c *Client) Reconnect() { c.command(func() { c.again = true }) }

// Probe is for whoever learns that the machine has woken up or the network has
// changed. It looks whether the connection is alive, and replaces it if it is not
// answered within 3 s; if the next attempt waits for its backoff, its turn is now,
// unless the hub has said when to come back. It does nothing while Run does not run.
func (c *Client) Probe() { c.command(nil) }

// command tells Run's goroutine that something is wanted; nil: a probe.
func (c *Client) command(set func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if set == nil {
		c.probe = true
	} else {
		set()
		if c.interrupt != nil {
			c.interrupt()
		}
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// State returns what the client is doing. It changes together with what handlers
// have seen: while a handler runs, it is as it was when the event came.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Cursor returns where the client is: up to there handlers have run. While a
// handler runs, its event is not yet part of it. A gap that is not yet told is not
// passed.
func (c *Client) Cursor() usercast.Cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursorLocked()
}

func (c *Client) cursorLocked() usercast.Cursor {
	if c.owed != nil {
		// Whoever resumes from behind the gap would never hear of it.
		return c.owed.From
	}
	return c.at
}

// Device returns the name by which usercast.Event.Except knows this client: send it with
// requests, so that their events can leave it out.
func (c *Client) Device() string { return c.cfg.Device }

// Latest returns the newest event of a type, or of a type and key, that this client
// has received. It changes before the event's handlers run. Values whose key was
// ended by a buffered event are gone, and those that a gap made doubtful. 1,000 events
// and 32 MiB are kept, counted once by type and once by type and key.
func (c *Client) Latest(typ, key string) (Event, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values.get(typ, key)
}

// MaxMessageBytes is the longest message that a hub takes.
const MaxMessageBytes = 4 << 10

// writeTimeout is how long a message may wait for the socket.
const writeTimeout = 10 * time.Second

// Send sends a text message to the hub's Config.OnMessage. nil means that the
// message was written, not that the hub has it: nothing is queued or sent again.
// [ErrNotConnected] means that there is no connection, or that it was lost
// meanwhile, [ErrTooLarge] more than [MaxMessageBytes], [ErrMessage] not UTF-8. A
// hub takes a hundred messages a second; more is a flood, and it closes.
//
// If ctx ends, or 10 s pass, while the socket takes nothing, the connection is cut
// and replaced: half a message cannot be taken back.
func (c *Client) Send(ctx context.Context, p []byte) error {
	switch {
	case len(p) > MaxMessageBytes:
		return fmt.Errorf("%w: %d bytes, the hub takes %d", ErrTooLarge, len(p), MaxMessageBytes)
	case !utf8.Valid(p):
		return ErrMessage
	case ctx.Err() != nil: // the library would close the connection for it
		return context.Cause(ctx)
	}
	c.mu.Lock()
	s := c.conn
	c.mu.Unlock()
	if s == nil {
		return ErrNotConnected
	}
	wctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := s.ws.Write(wctx, websocket.MessageText, p); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	return nil
}
