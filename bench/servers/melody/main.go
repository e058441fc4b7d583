// Command melody serves with olahol/melody. Its own filter looks at every session for every event; an index of users
// spares it that, so that what is measured is its writing. It keeps nothing for later.
package main

import (
	"net/http"

	"github.com/olahol/melody"
	"github.com/usercast-go/usercast/bench/internal/event"
	"github.com/usercast-go/usercast/bench/internal/serve"
)

// userKey is where the session remembers whose connection it is.
const userKey = "user"

func main() {
	serve.Main(func(serve.Options) (serve.Contender, error) {
		h := &hub{melody: melody.New()}
		h.melody.HandleConnect(func(s *melody.Session) { h.users.Add(userOf(s), s) })
		h.melody.HandleDisconnect(func(s *melody.Session) { h.users.Remove(userOf(s), s) })
		return h, nil
	})
}

type hub struct {
	melody *melody.Melody
	users  serve.Index[*melody.Session]
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = h.melody.HandleRequestWithKeys(w, r, map[string]any{userKey: r.URL.Query().Get("user")})
}

func (h *hub) Broadcast(user string, p event.Payload) error {
	message, err := event.Encode(p)
	if err != nil {
		return err
	}
	h.users.Each(user, func(s *melody.Session) { _ = s.Write(message) })
	return nil
}

func (h *hub) Connections() int { return h.users.Len() }

func userOf(s *melody.Session) string {
	user, _ := s.Keys[userKey].(string)
	return user
}
