// Command coder is the hub that most Go programs write for themselves on top of coder/websocket: a map of users, and
// for each connection a channel of encoded messages with a goroutine that writes them, as in the library's chat
// example. It keeps nothing for later.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/serve"
)

const (
	queueSize    = 256
	writeTimeout = 5 * time.Second
)

func main() {
	serve.Main(func(serve.Options) (serve.Contender, error) { return &hub{}, nil })
}

type hub struct {
	users serve.Index[*connection]
}

type connection struct {
	queue     chan []byte
	closeSlow func()
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	c := &connection{
		queue:     make(chan []byte, queueSize),
		closeSlow: func() { ws.Close(websocket.StatusPolicyViolation, "connection too slow") },
	}
	user := r.URL.Query().Get("user")
	h.users.Add(user, c)
	defer h.users.Remove(user, c)

	ctx := ws.CloseRead(context.Background())
	for {
		select {
		case message := <-c.queue:
			if writeOne(ctx, ws, message) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func writeOne(ctx context.Context, ws *websocket.Conn, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return ws.Write(ctx, websocket.MessageText, message)
}

func (h *hub) Broadcast(user string, p event.Payload) error {
	message, err := event.Encode(p)
	if err != nil {
		return err
	}
	h.users.Each(user, func(c *connection) {
		select {
		case c.queue <- message:
		default:
			go c.closeSlow()
		}
	})
	return nil
}

func (h *hub) Connections() int { return h.users.Len() }
