package usercast

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

// An Identity is who a connection belongs to.
type Identity struct {
	UserID    string    // 1 to 128 bytes of UTF-8
	SessionID string    // optional: for logs and callbacks
	ExpiresAt time.Time // the connection closes then, with 4401; zero: never

	leeway time.Duration // how much later than ExpiresAt, for clocks that differ
}

// An Authenticator says who a handshake comes from. The hub calls it before the
// upgrade, from many goroutines at once; the request's context ends with the
// handshake's time, 30 s. An error refuses the connection: see [ErrTokenMissing]
// and its neighbours for how. An error's text may be logged, with the request's
// token blotted out; it never reaches the client.
//
// An Authenticator that reads cookies must refuse requests without an Origin
// header by [ErrOrigin], for it cannot know which page sent them. [JWT] does.
type Authenticator interface {
	Authenticate(*http.Request) (Identity, error)
}

// AuthenticatorFunc is a function as an [Authenticator], for applications that
// have sessions of their own.
type AuthenticatorFunc func(*http.Request) (Identity, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(r *http.Request) (Identity, error) { return f(r) }

// A TokenAuthenticator can also judge a bare token. If Config.Auth is one,
// clients can renew their token in place by hub.auth. It is called from the
// connection's goroutine; ctx ends after 30 s.
type TokenAuthenticator interface {
	AuthenticateToken(ctx context.Context, token string) (Identity, error)
}

const (
	// protocolV1 is the subprotocol that the hub speaks and echoes.
	protocolV1 = "usercast.v1"
	// protocolBearer begins the subprotocol that carries a token: the only header
	// that a browser lets a page choose. It is never echoed.
	protocolBearer = "usercast.bearer."
)

// maxTokenBytes bounds a token before anything looks into it.
const maxTokenBytes = 8 << 10

// subprotocols calls yield for each subprotocol that the client offers, until it
// returns false.
func subprotocols(h http.Header, yield func(string) bool) {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if !yield(strings.TrimSpace(p)) {
				return
			}
		}
	}
}

func offersV1(h http.Header) (v1 bool) {
	subprotocols(h, func(p string) bool {
		v1 = p == protocolV1
		return !v1
	})
	return v1
}

// A tokenSource says where a token may stand in a request.
type tokenSource struct {
	queryParam string // "": nowhere in the URL
	cookie     string // "": in no cookie
}

// find returns the request's token and whether it came from a cookie. The places
// are asked in a fixed order and the first that holds anything decides, good or
// not: a request cannot carry one token past another.
func (s tokenSource) find(r *http.Request) (token string, ambient bool, err error) {
	if v := r.Header.Get("Authorization"); v != "" {
		scheme, token, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", false, ErrTokenInvalid
		}
		return checkToken(strings.TrimSpace(token))
	}
	found := false
	subprotocols(r.Header, func(p string) bool {
		token, found = strings.CutPrefix(p, protocolBearer)
		return !found
	})
	if found {
		if len(token) > 2*maxTokenBytes {
			return "", false, ErrTokenInvalid
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
		if err != nil {
			return "", false, ErrTokenInvalid
		}
		return checkToken(string(raw))
	}
	if s.queryParam != "" {
		if v := r.URL.Query().Get(s.queryParam); v != "" {
			return checkToken(v)
		}
	}
	if s.cookie != "" {
		if c, err := r.Cookie(s.cookie); err == nil && c.Value != "" {
			token, _, err := checkToken(c.Value)
			return token, true, err
		}
	}
	return "", false, ErrTokenMissing
}

func checkToken(token string) (string, bool, error) {
	switch {
	case token == "":
		return "", false, ErrTokenMissing
	case len(token) > maxTokenBytes:
		return "", false, ErrTokenInvalid
	}
	return token, false, nil
}
