package usercast

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// readLimit is the longest inbound message, in bytes.
const readLimit = 4 << 10

// inboundBuffers are shared: a connection that is silent holds none.
// They are longer than any message may be, so that the library sees the excess
// and refuses it.
var inboundBuffers = sync.Pool{New: func() any { return new(inboundBuffer) }}

type inboundBuffer [readLimit + 2]byte

// serve begins the life of a connection: it tells the application and reads.
func (c *conn) serve() {
	if c.onConnect != nil && !c.guard("OnConnect", c, func() { c.onConnect(c.info) }) {
		c.end(CloseInternal, "OnConnect panicked", false)
	}
	c.readOn()
}

// readOn reads until the connection is idle or over. It is the only goroutine that
// a connection has for itself, and there is at most one.
func (c *conn) readOn() {
	err := c.read()
	for errors.Is(err, errIdle) {
		if c.park() {
			return // whoever unparks it goes on from here
		}
		err = c.read()
	}
	defer c.running.Done()
	c.goodbye(err)
	c.gone.Store(true)
	c.poller.forget(c)
	c.leave(c)
	c.ws.CloseNow()
	c.parted(err)
}

// read reads messages until the connection ends.
func (c *conn) read() error {
	for {
		// Never a context that ends: coder/websocket would drop the connection
		// without a close frame. Deadlines are the wire's.
		kind, r, err := c.ws.Reader(context.Background())
		if err != nil {
			return err
		}
		buf := inboundBuffers.Get().(*inboundBuffer)
		n, err := io.ReadFull(r, buf[:])
		// Compared, not errors.Is: these two mean that the message ended. A lost
		// connection wraps them.
		if err == io.ErrUnexpectedEOF || err == io.EOF {
			err = nil
			c.message(kind, buf[:n])
		}
		inboundBuffers.Put(buf)
		if err != nil {
			return err
		}
	}
}

// message handles one inbound message. p is good until it returns.
func (c *conn) message(kind websocket.MessageType, p []byte) {
	if c.ending.Load() != nil {
		return
	}
	if kind == websocket.MessageText {
		if string(p) == "ping" {
			c.pongs.Add(1)
			c.nudge()
			return
		}
		if token, ok := authToken(p); ok {
			c.renew(token)
			return
		}
	}
	if c.onMessage == nil {
		c.stats.ignored.Add(1)
		return
	}
	data := append([]byte(nil), p...) // the application may keep it
	if !c.guard("OnMessage", c, func() { c.onMessage(c.info, data) }) {
		c.end(CloseInternal, "OnMessage panicked", false)
	}
}

// authToken returns the token of a hub.auth message. A message that is not one,
// or is malformed, is the application's.
func authToken(p []byte) (token string, ok bool) {
	if len(p) == 0 || p[0] != '{' {
		return "", false
	}
	var m struct {
		Type    string `json:"type"`
		Payload struct {
			Token string `json:"token"`
		} `json:"payload"`
	}
	if json.Unmarshal(p, &m) != nil || m.Type != "hub.auth" {
		return "", false
	}
	return m.Payload.Token, true
}

// How often a connection may renew its token: each renewal may ask a database.
const (
	renewalsPerSecond = 1
	renewalsBurst     = 5
)

func (c *conn) renew(token string) {
	if !c.renewals.take(1, renewalsPerSecond, renewalsBurst, c.clock.mono()) {
		c.stats.floods.Add(1)
		c.end(ClosePolicy, "too many hub.auth messages", false)
		return
	}
	c.renewal(c, token)
}

// goodbye lets a close frame that this side sent reach a peer that is still
// sending: closing over unread bytes would reset the connection, and the frame
// with it. So some of what comes is read away.
func (c *conn) goodbye(err error) {
	if errors.Is(err, errFlood) {
		c.stats.floods.Add(1)
		const reason = "too many or too large messages"
		if c.end(ClosePolicy, reason, false) {
			// Written here: by the time a busy flusher came to it, what the peer has
			// sent would be read away, and the connection gone.
			c.wire.Write(closeFrame(ClosePolicy, reason))
		}
	} else if !c.wire.saidClose() || websocket.CloseStatus(err) != -1 {
		return
	}
	c.wire.discard(1<<20, 500*time.Millisecond)
}

// parted tells the application and the log that the connection is over.
func (c *conn) parted(err error) {
	info := c.info
	info.CloseCode, info.CloseReason = closeAbnormal, "connection lost"
	if end := c.ending.Load(); end != nil {
		info.CloseCode, info.CloseReason = end.code, end.reason
	} else if ce := (websocket.CloseError{}); errors.As(err, &ce) {
		info.CloseCode, info.CloseReason = int(ce.Code), "closed by the client"
	} else if code := c.wire.saidCode(); code != 0 {
		info.CloseCode, info.CloseReason = code, clip(err.Error())
		if errors.Is(err, websocket.ErrMessageTooBig) {
			info.CloseReason = "inbound message over 4 KiB"
		}
	}
	c.logger.Debug("usercast: disconnected", "conn_id", info.ID, "user_id", info.UserID,
		"code", info.CloseCode, "reason", info.CloseReason)
	if c.onDisconnect != nil {
		c.guard("OnDisconnect", c, func() { c.onDisconnect(info) })
	}
}
