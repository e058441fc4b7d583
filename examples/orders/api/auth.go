package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// An Auth believes the tokens of an [API], as long as their session is there: a logout ends
// both. It is for the hub as well, and safe for concurrent use.
type Auth struct {
	jwt   *usercast.JWT
	store *store.Store
}

// NewAuth returns an Auth. Tokens may also stand in the URL, by the name of queryParam
// ("-": they may not).
func NewAuth(s *store.Store, secret []byte, queryParam string) (*Auth, error) {
	jwt, err := usercast.NewJWT(usercast.JWTConfig{
		Secret: secret, Methods: []string{"HS256"}, Issuer: issuer, Audience: audience, QueryParam: queryParam,
	})
	if err != nil {
		return nil, err
	}
	return &Auth{jwt, s}, nil
}

// Authenticate implements [usercast.Authenticator].
func (a *Auth) Authenticate(r *http.Request) (usercast.Identity, error) {
	id, err := a.jwt.Authenticate(r)
	return a.check(r.Context(), id, err)
}

// AuthenticateToken implements [usercast.TokenAuthenticator].
func (a *Auth) AuthenticateToken(ctx context.Context, token string) (usercast.Identity, error) {
	id, err := a.jwt.AuthenticateToken(ctx, token)
	return a.check(ctx, id, err)
}

// check looks for the session.
func (a *Auth) check(ctx context.Context, id usercast.Identity, err error) (usercast.Identity, error) {
	if err != nil {
		return usercast.Identity{}, err
	}
	user, err := store.SessionUser(ctx, a.store.DB, id.SessionID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && user != id.UserID:
		return usercast.Identity{}, fmt.Errorf("%w: the session of the token has ended", usercast.ErrTokenInvalid)
	case err != nil:
		return usercast.Identity{}, fmt.Errorf("%w: %w", usercast.ErrUnavailable, err)
	}
	return id, nil
}
