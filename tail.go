package usercast

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// tailPrefix begins the connection IDs of tails: whoever reads a log sees what it
// was, and the hub which of a user's connections is no device. No other ID has a dot.
const tailPrefix = "tail."

func (c *conn) isTail() bool { return strings.HasPrefix(c.info.ID, tailPrefix) }

const noRoomForTail = "the user has as many connections as Config.MaxConnsPerUser allows"

// tail makes the request a connection of the user in the URL, who is asked nothing.
func (a *admin) tail(w http.ResponseWriter, r *http.Request) {
	hs, cancel := a.hub.begin(w, r)
	defer cancel()
	hs.tail = true
	hs.run(hs.check, func() (*refusal, string) { return a.identify(hs) }, hs.admit)
}

// identify is a tail's authentication: who asks is an admin, whom it follows is in
// the URL.
func (a *admin) identify(hs *handshake) (*refusal, string) {
	if refused, detail := a.authenticate(hs.r); refused != nil {
		return refused, detail
	}
	user := hs.query.Get("user")
	if checkUser(user) != nil {
		return refusedRequest, "user: want 1 to 128 bytes of UTF-8"
	}
	hs.id = Identity{UserID: user}
	return nil, ""
}

// expendable returns which of a user's connections goes for a new one: the oldest,
// but none of the user's devices while an Admin's tail takes one of their places.
func expendable(conns []*conn) *conn {
	for _, c := range conns {
		if c.isTail() {
			return c
		}
	}
	return conns[0]
}

// serveTail is the life of a tail: readOn without the application, and without giving
// up the goroutine, for tails are few.
func (c *conn) serveTail() {
	defer c.running.Done()
	c.wire.idles = false
	err := c.readTail()
	c.goodbye(err)
	c.gone.Store(true)
	c.leave(c)
	c.ws.CloseNow()
	c.logger.Debug("usercast: disconnected", "conn_id", c.info.ID, "user_id", c.info.UserID, "reason", clip(err.Error()))
}

// readTail reads until the connection ends. Nothing that a tail says means
// anything but "ping".
func (c *conn) readTail() error {
	for {
		kind, r, err := c.ws.Reader(context.Background()) // see read for the context
		if err != nil {
			return err
		}
		p, err := io.ReadAll(r) // readLimit bounds it
		if err != nil {
			return err
		}
		switch {
		case c.ending.Load() != nil:
		case kind == websocket.MessageText && string(p) == "ping":
			c.pongs.Add(1)
			c.nudge()
		default:
			c.stats.ignored.Add(1)
		}
	}
}
