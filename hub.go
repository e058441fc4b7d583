package usercast

import (
	"crypto/rand"
	"encoding/hex"
	"hash/maphash"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"
)

// Config configures a [Hub]. The zero value of every field but Auth is usable.
// The callbacks are called without any lock held, each connection's from one
// goroutine at a time; a panic in one of them is logged and closes the connection
// with 1011.
type Config struct {
	// Auth says who a connection belongs to. Required; [NewJWT] makes one.
	Auth Authenticator
	// Classify says what becomes of an event of a type that [Define] does not know.
	// nil: [DefaultClassify]. It is called by Broadcast, from many goroutines at once.
	Classify func(Event) Class
	// BufferSize is how many buffered events are kept for each user. 0: 200; at most 100,000.
	BufferSize int
	// BufferTTL is for how long they are kept. 0: 5 minutes.
	BufferTTL time.Duration
	// MaxEventBytes bounds an event's JSON, envelope included. 0: 64 KiB; 256 bytes to 16 MiB.
	MaxEventBytes int
	// MaxBufferBytes bounds what all logs hold together. 0: 256 MiB. Beyond it the
	// oldest events go first, whoever's they are.
	MaxBufferBytes int64
	// MaxConns bounds the hub's connections; one more is refused. 0: no limit.
	MaxConns int
	// MaxConnsPerUser bounds a user's connections; for one more the oldest goes. 0: 20.
	MaxConnsPerUser int
	// PingInterval is how often a connection is pinged. 0: 30 s; at least 1 s. Pages
	// hear hub.heartbeat after five sixths of it in silence.
	PingInterval time.Duration
	// PongTimeout is how long a ping may go unanswered. 0: 10 s.
	PongTimeout time.Duration
	// WriteTimeout is how long a socket may block. 0: 4 s; below 5 s.
	WriteTimeout time.Duration
	// OriginPatterns names the pages beside the server's own that may connect:
	// [scheme://]host[:port], "*." in front for all subdomains, "*" for any port.
	// Checked by New.
	OriginPatterns []string
	// OnConnect runs once for each connection, before anything it sends is read;
	// OnDisconnect runs once after OnConnect has returned. While OnConnect or
	// OnMessage runs, nothing more is read: after PingInterval and PongTimeout the
	// connection counts as dead.
	OnConnect, OnDisconnect func(ConnInfo)
	// OnMessage gets what clients send, up to 4 KiB a message. The bytes are the
	// callee's. nil: such messages are counted and ignored.
	OnMessage func(ConnInfo, []byte)
	// Logger gets the hub's log. nil: [slog.Default]. No token is ever logged.
	Logger *slog.Logger
	// Now is the wall clock, for tests. nil: [time.Now]. It stamps events and ends
	// tokens; durations follow the monotonic clock. It may be called at any time,
	// from many goroutines at once.
	Now func() time.Time
}

// A Hub delivers events to the open devices of users. It is an [http.Handler];
// all its methods are safe for concurrent use. A hub that was made must be shut
// down, for it has goroutines of its own: GOMAXPROCS flushers and one sweeper.
type Hub struct {
	shared
	auth            Authenticator
	tokens          TokenAuthenticator // nil: tokens cannot be renewed in place
	classify        func(Event) Class
	origins         []originPattern
	maxEventBytes   int
	maxBufferBytes  int64
	maxConns        int
	maxConnsPerUser int

	seed     maphash.Seed
	shards   [shardCount]shard
	flushers []*flusher
	wheel    wheel
	// sweepNext is the shard that the sweeper looks at next; its alone.
	sweepNext int

	revocations atomic.Uint64 // counts calls of Disconnect
	goodbyes    atomic.Int64  // refused clients that are being told so

	closed    atomic.Bool
	spreadFor atomic.Int64 // how long clients should spread their return over; set by Shutdown
	stop      chan struct{}
	done      chan struct{} // everything has ended
}

// shardCount spreads the users over locks. Two thousand users active at once on
// a few cores hardly meet; an empty shard costs 200 bytes.
const shardCount = 256

// New makes a hub and starts its goroutines. An error names the field and wraps
// [ErrInvalidConfig].
func New(cfg Config) (*Hub, error) {
	cfg, err := cfg.normalise()
	if err != nil {
		return nil, err
	}
	origins, err := parseOrigins(cfg.OriginPatterns)
	if err != nil {
		return nil, err
	}
	h := &Hub{
		auth:            cfg.Auth,
		classify:        cfg.Classify,
		origins:         origins,
		maxEventBytes:   cfg.MaxEventBytes,
		maxBufferBytes:  cfg.MaxBufferBytes,
		maxConns:        cfg.MaxConns,
		maxConnsPerUser: cfg.MaxConnsPerUser,
		seed:            maphash.MakeSeed(),
		stop:            make(chan struct{}),
		done:            make(chan struct{}),
	}
	h.tokens, _ = cfg.Auth.(TokenAuthenticator)
	h.initShared(&cfg)

	born := h.clock.wall()
	h.everyone.log.init(h.epoch, born, born, cfg.BufferSize)
	h.everyone.last.Store(int64(born))
	for i := range h.shards {
		h.shards[i].init(&h.shared, born)
	}
	for range runtime.GOMAXPROCS(0) {
		f := newFlusher()
		h.flushers = append(h.flushers, f)
		h.workers.Go(func() { f.run(h.stop) })
	}
	h.workers.Go(func() { h.sweep(h.stop) })
	return h, nil
}

func (h *Hub) initShared(cfg *Config) {
	var epoch [8]byte
	rand.Read(epoch[:])
	s := &h.shared
	s.epoch = hex.EncodeToString(epoch[:])
	s.clock = newClock(cfg.Now)
	s.logger = cfg.Logger
	s.bufferSize = cfg.BufferSize
	s.ttl = int64(cfg.BufferTTL)
	s.pingInterval = int64(cfg.PingInterval)
	s.pongTimeout = int64(cfg.PongTimeout)
	s.heartbeat = int64(cfg.PingInterval) * 5 / 6
	s.writeTimeout = cfg.WriteTimeout
	s.onConnect, s.onDisconnect, s.onMessage = cfg.OnConnect, cfg.OnDisconnect, cfg.OnMessage
	s.renewal = h.renew
	s.leave = h.remove
}

func (h *Hub) shardOf(userID string) *shard {
	return &h.shards[maphash.String(h.seed, userID)%shardCount]
}

// flusherOf gives all connections of a user to one flusher: an event to a user then
// wakes one goroutine, which at moderate rates is most of what a delivery costs.
func (h *Hub) flusherOf(userID string) *flusher {
	return h.flushers[maphash.String(h.seed, userID)/shardCount%uint64(len(h.flushers))]
}

// Disconnect closes the user's connections with 4403, which tells clients to stop,
// and refuses handshakes that have begun but not ended. Clients that come back
// later are let in if Config.Auth lets them. It returns how many connections it
// closed. The reason reaches the client, cut to 123 bytes.
func (h *Hub) Disconnect(userID string, reason string) int {
	s := h.shardOf(userID)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[userID] = revocation{h.revocations.Add(1), h.clock.mono(), closeReason(reason)}
	u := s.users[userID]
	if u == nil {
		return 0
	}
	n := 0
	for _, c := range u.conns {
		if c.end(CloseRevoked, reason, false) {
			n++
		}
	}
	return n
}

// Connections returns how many connections the user has.
func (h *Hub) Connections(userID string) int {
	s := h.shardOf(userID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.users[userID]; u != nil {
		return len(u.conns)
	}
	return 0
}

// A Cursor is a place in a user's events, as clients name it when they connect.
type Cursor struct {
	Epoch        string    `json:"epoch"`
	LastEventTs  Timestamp `json:"lastEventTs"`
	LastGlobalTs Timestamp `json:"lastGlobalTs"`
}

// Cursor returns where the user's events have got to. Take it before reading the
// data that a page shows, and render it into the page: a client that connects with
// it hears everything that happened since, so nothing falls between the page and
// the connection. It is good for one BufferTTL at least. An invalid user ID gives
// the zero Cursor.
func (h *Hub) Cursor(userID string) Cursor {
	if checkUser(userID) != nil {
		return Cursor{}
	}
	s := h.shardOf(userID)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.user(userID, h.clock.mono())
	s.settle(u)
	return Cursor{Epoch: u.log.epoch, LastEventTs: u.log.last, LastGlobalTs: Timestamp(h.everyone.last.Load())}
}

// Stats returns a snapshot of the hub's counters. It takes no lock.
func (h *Hub) Stats() Stats { return h.stats.snapshot() }
