// Command usercast serves with usercast as an application would run it: HS256 tokens, the ring, its TTL and the
// heartbeat are all on.
package main

import (
	"log/slog"
	"net/http"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/bench/internal/dialect"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/serve"
)

// The defaults are meant for one application's users. A million of them with an event each need more than the default
// 256 MiB, and 30 devices of one user more than the default 20 connections.
const (
	maxBufferBytes  = 2 << 30
	maxConnsPerUser = 64
)

func main() {
	serve.Main(func(o serve.Options) (serve.Contender, error) {
		auth, err := usercast.NewJWT(usercast.JWTConfig{
			Secret:   []byte(dialect.Secret),
			Methods:  []string{"HS256"},
			Issuer:   "bench",
			Audience: "bench",
		})
		if err != nil {
			return nil, err
		}
		h := &hub{}
		h.Hub, err = usercast.New(usercast.Config{
			Auth:            auth,
			BufferSize:      o.BufferSize,
			BufferTTL:       o.BufferTTL,
			MaxBufferBytes:  maxBufferBytes,
			MaxConnsPerUser: maxConnsPerUser,
			Logger:          slog.New(slog.DiscardHandler), // the peers are silent too
		})
		return h, err
	})
}

type hub struct{ *usercast.Hub }

func (h *hub) Broadcast(user string, p event.Payload) error {
	return h.Hub.Broadcast(user, usercast.Event{Type: event.Type, Payload: p})
}

func (h *hub) Connections() int { return int(h.Stats().Connections) }

var _ http.Handler = (*hub)(nil)
