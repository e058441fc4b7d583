// Package send sends what it is told.
package send

import "github.com/usercast-go/usercast"

type Sender struct{ To usercast.Broadcaster }

func (s *Sender) Send(user, typ string, payload any) { s.again(user, typ, payload, 2) }

func (s *Sender) again(user, typ string, payload any, n int) {
	if n > 0 {
		s.again(user, typ, payload, n-1)
	}
	s.To.Broadcast(user, usercast.Event{Type: typ, Payload: payload})
}

func Far(to usercast.Broadcaster, typ, text string) {
	to.Broadcast(text, usercast.Event{Type: typ, Payload: "UN_NOT_A_NAME"})
}
