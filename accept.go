package usercast

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// handshakeTimeout bounds authentication and upgrade together. It also says for
// how long a revocation must be remembered.
const handshakeTimeout = 30 * time.Second

// A handshake is one request on its way to become a connection.
type handshake struct {
	hub        *Hub
	w          http.ResponseWriter
	r          *http.Request
	v1         bool // the client understands close codes
	tail       bool // of Admin: it follows the user and is none of their devices
	generation uint64
	began      int64      // monotonic ns
	query      url.Values // parsed once
	device     string
	id         Identity
}

// ServeHTTP authenticates the request, upgrades it to a WebSocket and returns: a
// connection lives on in a goroutine of the hub's. A request that is refused gets
// a close code if it offers the subprotocol usercast.v1 and its origin is allowed,
// else an HTTP status and a JSON object {"error": "...", "code": 4401}.
//
// It is safe for concurrent use. Middleware around it must pass [http.Hijacker]
// on, or have an Unwrap method as [http.ResponseController] wants it.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	hs, cancel := h.begin(w, r)
	defer cancel()
	hs.run(hs.check, hs.authenticate, hs.admit)
}

// begin starts the handshake's time.
func (h *Hub) begin(w http.ResponseWriter, r *http.Request) (*handshake, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(r.Context(), handshakeTimeout)
	return &handshake{hub: h, w: w, r: r.WithContext(ctx),
		generation: h.revocations.Load(), began: h.clock.mono()}, cancel
}

// run connects if no step refuses.
func (hs *handshake) run(steps ...func() (*refusal, string)) {
	for _, step := range steps {
		if refused, detail := step(); refused != nil {
			hs.refuse(refused, detail)
			return
		}
	}
	hs.connect()
}

// check judges what needs no authentication, the cheapest first.
func (hs *handshake) check() (*refusal, string) {
	h, r := hs.hub, hs.r
	switch {
	case !headerHas(r.Header, "Connection", "upgrade") || !headerHas(r.Header, "Upgrade", "websocket"):
		return refusedUpgrade, "this is a WebSocket endpoint"
	case !allowedOrigin(r, h.origins):
		return refusedOrigin, "origin not allowed"
	}
	hs.v1 = offersV1(r.Header)
	if h.closed.Load() {
		return refusedShutdown, h.restartReason()
	}
	// URL.Query would parse, and copy, a megabyte of parameters nobody asked for.
	if len(r.URL.RawQuery) > maxQueryBytes {
		return refusedRequest, fmt.Sprintf("query of over %d bytes", maxQueryBytes)
	}
	hs.query = r.URL.Query()
	hs.device = hs.query.Get("device")
	if !validDevice(hs.device) {
		return refusedRequest, "device: at most 64 of A-Z a-z 0-9 _ -"
	}
	return nil, ""
}

// maxQueryBytes leaves room for a token of 8 KiB, escaped, and the cursors.
const maxQueryBytes = 32 << 10

func headerHas(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}

func validDevice(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(s) <= MaxDeviceBytes
}

// authenticate asks Config.Auth.
func (hs *handshake) authenticate() (*refusal, string) {
	h := hs.hub
	var err error
	if !h.guardSecrets("Auth", nil, func() { hs.id, err = h.auth.Authenticate(hs.r) }, credentialsOf(hs.r).secrets) {
		return refusedPanic, "internal error"
	}
	if err == nil {
		err = checkUser(hs.id.UserID)
	}
	if err != nil {
		h.logAuth(hs.r, err)
		return authRefusal(err)
	}
	if e := hs.id.ExpiresAt; !e.IsZero() && h.clock.wall() >= clampWall(e.Add(hs.id.leeway)) {
		return refusedToken, "token expired"
	}
	return nil, ""
}

// admit asks what register asks again; here a client can still be told by HTTP.
func (hs *handshake) admit() (*refusal, string) {
	h := hs.hub
	switch {
	case hs.tail && h.Connections(hs.id.UserID) >= h.maxConnsPerUser:
		return refusedFull, noRoomForTail
	case h.full(hs.id.UserID):
		return refusedFull, "hub full"
	}
	s := h.shardOf(hs.id.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	return hs.overtakenLocked(s)
}

// authRefusal turns an Authenticator's error into an answer that tells a stranger
// no more than what to do.
func authRefusal(err error) (*refusal, string) {
	switch {
	case errors.Is(err, ErrOrigin):
		return refusedOrigin, "origin not allowed"
	case errors.Is(err, ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return refusedUnavailable, "authentication is unavailable"
	case errors.Is(err, ErrTokenMissing):
		return refusedToken, "token missing"
	case errors.Is(err, ErrTokenExpired):
		return refusedToken, "token expired"
	default:
		return refusedToken, "token invalid"
	}
}

// connect upgrades, registers and starts the connection.
func (hs *handshake) connect() {
	h := hs.hub
	c, err := hs.upgrade()
	switch {
	case errors.Is(err, http.ErrNotSupported):
		hs.refuse(refusedHijack, "upgrade failed")
		return
	case err != nil:
		hs.v1 = false // what cannot be upgraded cannot be told by close code
		hs.refuse(refusedRequest, err.Error())
		return
	}
	mine, all := parseClaims(hs.query)
	replaced, refused, detail := h.register(c, hs, mine, all)
	if refused != nil {
		hs.count(refused, detail)
		sayGoodbye(c.wire, c.ws, refused.code, detail)
		return
	}
	c.hello = c.helloFrame()
	c.ready.Store(true)
	h.wheel.file(c, 0)
	c.nudge()
	if replaced != nil {
		replaced.end(CloseReplaced, "too many connections of this user", false)
	}
	h.logger.Debug("usercast: connected", "conn_id", c.info.ID, "user_id", c.info.UserID,
		"verdict", string(c.info.Verdict), "reason", string(c.info.GapReason))
	if hs.tail {
		go c.serveTail()
		return
	}
	go c.serve()
}

// parseClaims reads the cursors of a request. What makes no sense is a gap, never
// an error: the client fetches its state and is well again.
func parseClaims(q url.Values) (mine, all claim) {
	epoch := q.Get("epoch")
	mine = parseClaim(q.Get("lastEventTs"), epoch)
	if all = parseClaim(q.Get("lastGlobalTs"), epoch); !all.given {
		// A client that knows of one cursor only: where it stopped in its own log
		// is about when it stopped in everyone's.
		all, all.loose = mine, true
	}
	return mine, all
}

func parseClaim(s, epoch string) claim {
	if s == "" {
		return claim{}
	}
	ts, err := ParseTimestamp(s)
	return claim{given: true, valid: err == nil, ts: ts, epoch: epoch}
}

// upgrade turns the request into a connection, which nobody knows yet.
func (hs *handshake) upgrade() (*conn, error) {
	h := hs.hub
	if !hijackable(hs.w) {
		h.logger.Error("usercast: a middleware hides http.Hijacker: give its ResponseWriter an Unwrap method")
		return nil, http.ErrNotSupported
	}
	w := &hijackWriter{ResponseWriter: hs.w, hub: h}
	ws, err := websocket.Accept(w, hs.r, &websocket.AcceptOptions{
		Subprotocols:       []string{protocolV1},
		InsecureSkipVerify: true, // check has looked at the origin, and more closely
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		if w.wire != nil {
			w.wire.Close()
		}
		return nil, w.problem(err)
	}
	ws.SetReadLimit(readLimit)
	c := &conn{shared: &h.shared, wire: w.wire, ws: ws, home: h.flusherOf(hs.id.UserID)}
	c.info = ConnInfo{
		ID:          newID(),
		UserID:      hs.id.UserID,
		SessionID:   hs.id.SessionID,
		Device:      hs.device,
		RemoteAddr:  hs.r.RemoteAddr,
		ConnectedAt: h.clock.wall().Time(),
	}
	if hs.tail {
		c.info.ID = tailPrefix + c.info.ID
	}
	now := h.clock.mono()
	c.wrote.Store(now)
	c.beat.nextPing = now + c.pingInterval
	c.renewals = bucket{now, renewalsBurst}
	c.setToken(hs.id)
	w.wire.wake = c.unpark
	return c, nil
}

// renew puts a token from hub.auth in the place of the connection's. It runs in
// the connection's goroutine.
func (h *Hub) renew(c *conn, token string) {
	if h.tokens == nil {
		h.stats.ignored.Add(1)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	var id Identity
	var err error
	if !h.guardSecrets("Auth", c, func() { id, err = h.tokens.AuthenticateToken(ctx, token) }, func() []string { return []string{token} }) {
		c.end(CloseInternal, "authentication panicked", false)
		return
	}
	switch refused, detail := authRefusal(err); {
	case err == nil && id.UserID == c.info.UserID:
		c.setToken(id)
		h.wheel.file(c, 0)
	case err == nil:
		c.end(CloseRevoked, "token of another user", false)
	case refused == refusedUnavailable: // the old token still stands
		h.logger.Warn("usercast: token not renewed", "conn_id", c.info.ID, "user_id", c.info.UserID, "reason", detail)
	default:
		c.end(CloseUnauthorized, detail, false)
	}
}

// newID returns 96 random bits.
func newID() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// helloFrame builds hub.hello.
func (c *conn) helloFrame() []byte {
	type payload struct {
		ConnectionID    string    `json:"connectionId"`
		Device          string    `json:"device"`
		Epoch           string    `json:"epoch"`
		Verdict         Verdict   `json:"verdict"`
		Reason          GapReason `json:"reason"`
		GlobalTimestamp Timestamp `json:"globalTimestamp"`
		HeartbeatMs     int64     `json:"heartbeatMs"`
		BufferSize      int       `json:"bufferSize"`
		BufferTTLMs     int64     `json:"bufferTtlMs"`
	}
	return hubFrame("hub.hello", payload{
		ConnectionID:    c.info.ID,
		Device:          c.info.Device,
		Epoch:           c.epoch,
		Verdict:         c.info.Verdict,
		Reason:          c.info.GapReason,
		GlobalTimestamp: c.all.start(),
		HeartbeatMs:     c.heartbeat / 1e6,
		BufferSize:      c.bufferSize,
		BufferTTLMs:     c.ttl / 1e6,
	}, c.mine.start(), "")
}
