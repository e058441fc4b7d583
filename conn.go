package usercast

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// ConnInfo describes one connection to the callbacks.
type ConnInfo struct {
	ID          string // random, unique to the connection
	UserID      string
	SessionID   string // from Identity, may be empty
	Device      string // the ?device= of the client, may be empty
	RemoteAddr  string
	ConnectedAt time.Time
	Verdict     Verdict
	GapReason   GapReason // set if Verdict is Gap

	// Set in OnDisconnect: the code of the close frame that was sent or received
	// (1006 if there was none) and why, in words.
	CloseCode   int
	CloseReason string
}

// shared is what all connections of a hub have in common.
type shared struct {
	clock    *clock
	stats    counters
	logger   *slog.Logger
	everyone everyone
	running  sync.WaitGroup // connections
	workers  sync.WaitGroup // flushers, their drainers, sweeper and poller
	poller   poller

	epoch        string
	bufferSize   int
	ttl          int64 // ns, as all durations here
	pingInterval int64
	pongTimeout  int64
	heartbeat    int64 // of silence
	writeTimeout time.Duration
	onMessage    func(ConnInfo, []byte)
	onConnect    func(ConnInfo)
	onDisconnect func(ConnInfo)
	renewal      func(*conn, string) // a token that came in hub.auth
	leave        func(*conn)
}

// A place is a tail with the log it follows and that log's lock.
type place struct {
	tail
	log *log
	mu  *sync.Mutex
}

// An ending says how a connection is to end. The first one counts.
type ending struct {
	code   int // 1006: no close frame, the socket is of no use
	reason string
	flush  bool  // what the log has for the connection goes first
	at     int64 // monotonic ns
}

const closeAbnormal = 1006 // RFC 6455 §7.4.1: never on the wire

// linger is how long a peer has to answer a close frame.
const linger = 2 * time.Second

// A conn is one connection: two cursors, the socket, and what the hub wants to
// tell it. It has one goroutine, which reads; the flushers write.
type conn struct {
	*shared
	info ConnInfo
	wire *wire
	ws   *websocket.Conn // reads and answers pings; kept here, for its finalizer closes the socket
	mine place           // in the user's log
	all  place           // in everyone's
	slot int             // in the shard's list; its lock guards it
	seat int32           // at the poller; its lock guards it

	parked atomic.Bool // nobody reads; the poller watches the socket

	// The flushers' list. A connection is on it at most once.
	home   *flusher
	next   *conn
	nudged atomic.Bool

	// Whoever writes owns these: the connection's flusher or, while slow is set,
	// its drainer.
	hello []byte // not yet sent
	live  bool   // hub.live was sent
	slow  atomic.Bool
	again atomic.Bool // a nudge came while slow was set

	ready  atomic.Bool // hello is there: writing may begin
	gone   atomic.Bool // reading has ended: nothing is to be written
	ending atomic.Pointer[ending]
	wants  atomic.Uint32 // control frames to write
	pongs  atomic.Int32  // answers to the text "ping"
	wrote  atomic.Int64  // when the page last heard something, monotonic ns

	tokenEnd atomic.Int64 // Timestamp; 0: never
	expires  atomic.Int64 // tokenEnd plus leeway: no frame from here on
	renewals bucket       // the reader's

	beat beat // the sweeper's
}

// What a connection can be asked to write, as bits of conn.wants.
const (
	wantPing = 1 << iota
	wantHeartbeat
	wantExpiring
)

// nudge tells the connection's flusher that there may be something to write.
// It never blocks and may be called with any lock held.
func (c *conn) nudge() {
	if !c.nudged.Swap(true) {
		c.home.push(c)
	}
}

func (c *conn) want(bit uint32) {
	c.wants.Or(bit)
	c.nudge()
}

// end closes the connection with a close frame; flush lets pending events go
// first. Only the first call counts.
func (c *conn) end(code int, reason string, flush bool) bool {
	if !c.ending.CompareAndSwap(nil, &ending{code, closeReason(reason), flush, c.clock.mono()}) {
		return false
	}
	if !flush {
		c.wire.hasten()
	}
	c.nudge()
	return true
}

// cut ends the connection without a word: the socket is dead or too slow. count, if
// any, goes up first: who sees the connection gone sees it counted.
func (c *conn) cut(reason string, count *atomic.Uint64) bool {
	first := c.ending.CompareAndSwap(nil, &ending{code: closeAbnormal, reason: reason, at: c.clock.mono()})
	if first && count != nil {
		count.Add(1)
	}
	c.wire.abort()
	return first
}

// setToken makes the connection end when its token does.
func (c *conn) setToken(id Identity) {
	if id.ExpiresAt.IsZero() {
		c.tokenEnd.Store(0)
		c.expires.Store(0)
		return
	}
	end := clampWall(id.ExpiresAt)
	c.tokenEnd.Store(int64(end))
	c.expires.Store(int64(end) + id.leeway.Microseconds())
}

// expired says whether the token has ended.
func (c *conn) expired() bool {
	at := c.expires.Load()
	return at != 0 && int64(c.clock.wall()) >= at
}

// gather adds to b what the connection should be sent next. done means that there
// is no more; last, that a close frame ends the batch.
func (c *conn) gather(b *batch) (done, last bool) {
	if c.expired() {
		c.end(CloseUnauthorized, "token expired", false)
	}
	end := c.ending.Load()
	if end != nil && (!end.flush || end.code == closeAbnormal) {
		if end.code != closeAbnormal {
			b.add(closeFrame(end.code, end.reason))
		}
		return true, true
	}
	if c.hello != nil {
		b.add(c.hello)
		c.hello = nil
	}
	c.gatherControl(b)
	done = c.gatherEvents(b)
	if done && !c.live {
		c.live = true
		b.add(hubFrame("hub.live", nil, c.mine.cursor, ""))
	}
	if end != nil && done {
		b.add(closeFrame(end.code, end.reason))
		return true, true
	}
	return done, false
}

// gatherControl adds what was asked for by bits. A heartbeat is for silence.
func (c *conn) gatherControl(b *batch) {
	for range c.pongs.Swap(0) {
		b.add(pongTextFrame)
	}
	if c.wants.Load() == 0 {
		return
	}
	wants := c.wants.Swap(0)
	if wants&wantPing != 0 {
		b.add(pingFrame)
	}
	if wants&wantExpiring != 0 {
		type payload struct {
			ExpiresAt Timestamp `json:"expiresAt"`
		}
		b.add(hubFrame("hub.expiring", payload{Timestamp(c.tokenEnd.Load())}, 0, ""))
	}
	if wants&wantHeartbeat != 0 {
		b.add(hubFrame("hub.heartbeat", nil, c.mine.cursor, ""))
	}
}

// gatherEvents collects from both logs.
func (c *conn) gatherEvents(b *batch) (done bool) {
	done = c.gatherFrom(&c.mine, b)
	// Only this goroutine moves the cursor, so it may be read without the lock.
	if Timestamp(c.everyone.last.Load()) != c.all.cursor || !c.live {
		done = c.gatherFrom(&c.all, b) && done
	}
	return done
}

func (c *conn) gatherFrom(p *place, b *batch) (done bool) {
	for {
		if p.gap != "" {
			c.tellGap(b, p)
		}
		for len(p.prologue) > 0 {
			if b.full() {
				return false
			}
			b.add(p.prologueFrame())
			b.events++
			b.replayed++
		}
		p.mu.Lock()
		p.log.catchUp(&p.tail, c.reader())
		if p.gap == "" {
			done = p.log.collect(&p.tail, b, c.reader())
		}
		p.mu.Unlock()
		if p.gap == "" {
			return done
		}
	}
}

func (c *conn) reader() reader { return reader{c.info.ID, c.info.Device} }

// tellGap adds hub.gap. Its timestamp is where the connection goes on.
func (c *conn) tellGap(b *batch, p *place) {
	reason, scope := p.gap, ""
	p.gap = ""
	if p == &c.all {
		scope = scopeAll
	}
	type payload struct {
		Reason GapReason `json:"reason"`
	}
	b.add(hubFrame("hub.gap", payload{reason}, p.start(), scope))
	c.stats.gap(reason)
	c.logger.Info("usercast: gap", "conn_id", c.info.ID, "user_id", c.info.UserID, "reason", string(reason), "scope", scope)
}

// guard runs a callback of the application and contains its panic.
func (s *shared) guard(what string, c *conn, fn func()) (ok bool) {
	return s.guardSecrets(what, c, fn, func() []string { return nil })
}

// guardSecrets is guard for a callback that knows what the log must not.
func (s *shared) guardSecrets(what string, c *conn, fn func(), secrets func() []string) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.stats.panics.Add(1)
			var attrs []any
			if c != nil {
				attrs = append(attrs, "conn_id", c.info.ID, "user_id", c.info.UserID)
			}
			s.logger.Error("usercast: panic in "+what, append(attrs, "panic", blot(fmt.Sprint(p), secrets()), "stack", string(debug.Stack()))...)
		}
	}()
	fn()
	return true
}
