// Command centrifuge serves with centrifugal/centrifuge: every connection is subscribed by the server to its user's
// channel, whose history (200 events, 5 minutes) a device recovers from when it comes back.
package main

import (
	"context"
	"net/http"

	"github.com/centrifugal/centrifuge"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/serve"
)

func main() {
	serve.Main(func(o serve.Options) (serve.Contender, error) {
		node, err := centrifuge.New(centrifuge.Config{})
		if err != nil {
			return nil, err
		}
		node.OnConnecting(func(ctx context.Context, _ centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
			credentials, _ := centrifuge.GetCredentials(ctx)
			return centrifuge.ConnectReply{Subscriptions: map[string]centrifuge.SubscribeOptions{
				channel(credentials.UserID): {EnableRecovery: true},
			}}, nil
		})
		if err := node.Run(); err != nil {
			return nil, err
		}
		return &hub{
			node:    node,
			handler: centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{}),
			history: centrifuge.WithHistory(o.BufferSize, o.BufferTTL),
		}, nil
	})
}

type hub struct {
	node    *centrifuge.Node
	handler http.Handler
	history centrifuge.PublishOption
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{UserID: r.URL.Query().Get("user")})
	h.handler.ServeHTTP(w, r.WithContext(ctx))
}

func (h *hub) Broadcast(user string, p event.Payload) error {
	message, err := event.Encode(p)
	if err != nil {
		return err
	}
	_, err = h.node.Publish(channel(user), message, h.history)
	return err
}

func (h *hub) Connections() int { return h.node.Hub().NumClients() }

func channel(user string) string { return "user:" + user }
