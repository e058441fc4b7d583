package main

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

const (
	tokenIssuer   = "usercast quickstart"
	tokenAudience = "usercast quickstart"

	// minTokenTTL leaves time before the hub's warning, a minute before the end.
	minTokenTTL  = 70 * time.Second
	maxUserRunes = 32 // below usercast.MaxUserIDBytes, whatever the script
)

// An issuer makes tokens.
type issuer struct {
	secret []byte
	ttl    time.Duration
}

// issue makes a token for a user. The hub and the API believe what it says.
func (i issuer) issue(user string) (string, error) {
	now := time.Now()
	return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Audience:  jwt.ClaimStrings{tokenAudience},
		Subject:   user,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(i.ttl)),
	}).SignedString(i.secret)
}

// login returns a token for whoever asks. Replace it by your own login: there is
// no password here, anyone may be anyone. A page whose token is about to end
// simply logs in again.
func (a *app) login(w http.ResponseWriter, r *http.Request) {
	var in struct {
		User string `json:"user"`
	}
	if err := decode(w, r, &in); err != nil {
		fail(w, err)
		return
	}
	user := strings.TrimSpace(in.User)
	switch {
	case user == "":
		fail(w, invalid("user", "want a name"))
		return
	case utf8.RuneCountInString(user) > maxUserRunes:
		fail(w, invalid("user", "at most %d characters", maxUserRunes))
		return
	case strings.ContainsFunc(user, unicode.IsControl):
		fail(w, invalid("user", "want printable characters"))
		return
	}
	token, err := a.tokens.issue(user)
	if err != nil {
		a.log.Error("token not signed", "error", err)
		fail(w, err)
		return
	}
	respond(w, http.StatusOK, struct {
		User      string `json:"user"`
		Token     string `json:"token"`
		ExpiresIn int    `json:"expiresIn"` // seconds: the page's clock may differ
	}{user, token, int(a.tokens.ttl / time.Second)})
}
