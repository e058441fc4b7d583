package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
)

// renewEvery is how far apart tokens are asked for on one connection. Tokens that
// live for less than the hub's warning must not be renewed in a circle.
const renewEvery = 10 * time.Second

// expiring is the hub's warning that the token ends in a minute.
func (s *session) expiring() {
	if s.c.cfg.Token == nil {
		return // the hub closes with 4401, and Header may have something better then
	}
	s.c.reason = TokenExpired // until the hub has another: the connection may be lost before
	s.renewAt = time.Now()
	if earliest := s.c.tokenAt.Add(renewEvery); earliest.After(s.renewAt) {
		s.renewAt = earliest
	}
}

// renew asks for a token and puts it in the place of the connection's.
func (s *session) renew(ctx context.Context, now time.Time) {
	s.renewing, s.renewAt = true, time.Time{}
	s.c.tokenAt = now
	s.running.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, s.c.cfg.ConnectTimeout)
		defer cancel()
		token, err := s.c.token(ctx, TokenExpired)
		if err == nil {
			err = s.auth(ctx, token)
		}
		s.renewed <- err
	})
}

// auth sends hub.auth.
func (s *session) auth(ctx context.Context, token string) error {
	var m struct {
		Type    string `json:"type"`
		Payload struct {
			Token string `json:"token"`
		} `json:"payload"`
	}
	m.Type, m.Payload.Token = "hub.auth", token
	p, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(p) > MaxMessageBytes {
		return fmt.Errorf("%w: a token of %d bytes cannot be renewed in place; the hub will close, and it goes into the next handshake", ErrTooLarge, len(token))
	}
	return s.ws.Write(ctx, websocket.MessageText, p)
}

// renewalDone goes on from what became of a renewal. An error ends the connection.
func (s *session) renewalDone(err error) error {
	s.renewing = false
	switch {
	case err == nil:
		s.c.reason = TokenConnect
	case errors.Is(err, ErrUnauthorized):
		return err
	case errors.Is(err, ErrTooLarge):
		s.c.report(err)
	default:
		// Once more while there is time. When the token ends the hub closes, and that
		// is handled.
		s.c.report(err)
		if s.renewAt.IsZero() {
			s.renewAt = time.Now().Add(renewEvery)
		}
	}
	return nil
}
