package dialect

import (
	"bytes"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Secret signs the tokens of the benchmark; the usercast server knows it too.
const Secret = "a secret of the benchmark, and of nothing else"

// Usercast speaks the wire of usercast, version 1.
type Usercast struct{}

// Target implements Dialect. Every device brings a token of its own.
func (Usercast) Target(d Device) string {
	q := url.Values{"token": {token(d.User)}, "device": {d.Name}}
	if d.Returning() {
		q.Set("epoch", textAfter(d.Greeting, `"epoch":"`, `"`))
		cursor := textAfter(d.Greeting, `"timestamp":"`, `"`)
		if last := lastTextAfter(d.LastEvent, `"timestamp":"`, `"`); last != "" {
			cursor = last
		}
		q.Set("lastEventTs", cursor)
	}
	return "/ws?" + q.Encode()
}

// Opening implements Dialect.
func (Usercast) Opening(Device) string { return "" }

// ReadyAfterUpgrade implements Dialect.
func (Usercast) ReadyAfterUpgrade() bool { return false }

// React implements Dialect.
func (Usercast) React(frame []byte) Reaction {
	return Reaction{
		Ready: bytes.Contains(frame, []byte(`"hub.live"`)),
		Keep:  bytes.Contains(frame, []byte(`"hub.hello"`)),
		Gap:   bytes.Contains(frame, []byte(`"hub.gap"`)),
	}
}

func token(user string) string {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject:   user,
		Issuer:    "bench",
		Audience:  jwt.ClaimStrings{"bench"},
		ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}).SignedString([]byte(Secret))
	if err != nil {
		panic(err) // a constant key and fixed claims cannot fail
	}
	return signed
}
