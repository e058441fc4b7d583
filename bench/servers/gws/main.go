// Command gws serves with lxzan/gws and its Broadcaster, which frames an event once for all devices of the user and
// writes from a queue per connection. It keeps nothing for later.
package main

import (
	"net/http"

	"github.com/lxzan/gws"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/serve"
)

// userKey is where the session remembers whose connection it is.
const userKey = "user"

func main() {
	serve.Main(func(serve.Options) (serve.Contender, error) {
		h := &hub{}
		h.upgrader = gws.NewUpgrader(h, nil)
		return h, nil
	})
}

type hub struct {
	gws.BuiltinEventHandler
	upgrader *gws.Upgrader
	users    serve.Index[*gws.Conn]
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := h.upgrader.Upgrade(w, r)
	if err != nil {
		return
	}
	user := r.URL.Query().Get("user")
	ws.Session().Store(userKey, user)
	h.users.Add(user, ws)
	// A goroutine of its own lets the handler's stack and buffers go, as the library's documentation advises.
	go ws.ReadLoop()
}

// OnClose implements gws.Event.
func (h *hub) OnClose(ws *gws.Conn, _ error) {
	if user, ok := ws.Session().Load(userKey); ok {
		h.users.Remove(user.(string), ws)
	}
}

func (h *hub) Broadcast(user string, p event.Payload) error {
	message, err := event.Encode(p)
	if err != nil {
		return err
	}
	b := gws.NewBroadcaster(gws.OpcodeText, message)
	defer b.Close()
	h.users.Each(user, func(ws *gws.Conn) { _ = b.Broadcast(ws) })
	return nil
}

func (h *hub) Connections() int { return h.users.Len() }
