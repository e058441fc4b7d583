package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
)

const (
	issuer   = "usercast orders"
	audience = "usercast orders"

	sessionCookie = "orders_session"
	sessionLife   = 30 * 24 * time.Hour
)

// nobody writes what nobody has logged in for yet: logins follow one another. No name that is
// only tried has limits of its own.
const nobody = ""

// A grant is what a login and a renewal answer.
type grant struct {
	User      string    `json:"user"`
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// grant makes a token, which is good until it ends or its session does.
func (a *API) grant(user, session string) (grant, error) {
	now := time.Now().Truncate(time.Second) // as the token has it
	ends := now.Add(a.cfg.TokenTTL)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": issuer,
		"aud": audience,
		"sub": user,
		"sid": session,
		"iat": jwt.NewNumericDate(now),
		"exp": jwt.NewNumericDate(ends),
	}).SignedString(a.cfg.Secret)
	return grant{user, token, ends.UTC()}, err
}

// userOf returns whose token a request has.
func (a *API) userOf(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", &problem{http.StatusUnauthorized, "the token is missing", "Authorization", "log in, and send Authorization: Bearer TOKEN"}
	}
	id, err := a.auth.AuthenticateToken(r.Context(), token)
	if errors.Is(err, usercast.ErrUnavailable) {
		return "", err
	}
	if err != nil {
		return "", &problem{http.StatusUnauthorized, "the token is invalid, or it or its session has ended", "Authorization", "fetch another one from /api/token"}
	}
	return id.UserID, nil
}

// userName is what a user may be called.
var userName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// login lets anybody in as anyone: it is a demo. A user who comes for the first time
// finds some data. No event tells of it, as none of the user's devices is there to hear.
func (a *API) login(w http.ResponseWriter, r *http.Request) error {
	if err := a.limits.allowLogin(); err != nil {
		return err
	}
	var in struct {
		User string `json:"user"`
	}
	if err := decode(r, &in); err != nil {
		return err
	}
	if !userName.MatchString(in.User) {
		return invalid("user", "it is no user name", "use 1 to 32 of a-z, 0-9 and -")
	}
	var secret string
	err := a.write(r, nobody, func(ctx context.Context, tx *sql.Tx, _ *emit.Outbox) (err error) {
		if err = a.addUser(ctx, tx, in.User); err == nil {
			secret, err = store.AddSession(ctx, tx, in.User, sessionLife)
		}
		return err
	})
	if err != nil {
		return err
	}
	g, err := a.grant(in.User, store.SessionID(secret))
	if err != nil {
		return err
	}
	setSession(w, r, secret, int(sessionLife/time.Second))
	return respond(w, http.StatusOK, g)
}

// addUser makes a user with demo data, unless it is there.
func (a *API) addUser(ctx context.Context, tx *sql.Tx, user string) error {
	isNew, err := store.AddUser(ctx, tx, user)
	if err != nil || !isNew {
		return err
	}
	if err := a.limits.allowNewcomer(); err != nil {
		return err
	}
	n, err := store.Users(ctx, tx)
	if err != nil {
		return err
	}
	if n > a.cfg.MaxUsers {
		return &problem{http.StatusConflict, fmt.Sprintf("there are %d users already", a.cfg.MaxUsers), "user", "log in as one of them, anna for instance"}
	}
	return store.AddDemoData(ctx, tx, user, a.cfg.Seed)
}

// setSession sets the cookie of a session; a negative age deletes it.
func setSession(w http.ResponseWriter, r *http.Request, secret string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: secret, Path: "/api", MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
}

// session returns the secret of a request's session and whose it is, "" if it has none.
// What is no session costs nobody's share of requests.
func (a *API) session(r *http.Request) (secret, user string, err error) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", "", nil
	}
	user, err = store.SessionUser(r.Context(), a.cfg.Store.DB, store.SessionID(cookie.Value))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", "", nil
	case err != nil:
		return "", "", err
	}
	return cookie.Value, user, a.limits.allow(user)
}

// renew gives a page that has a session another token.
func (a *API) renew(w http.ResponseWriter, r *http.Request) error {
	secret, user, err := a.session(r)
	if err != nil {
		return err
	}
	if user == "" {
		return &problem{http.StatusUnauthorized, "there is no session", "", "log in"}
	}
	g, err := a.grant(user, store.SessionID(secret))
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, g)
}

// logout ends the session with its tokens, and the connections of its user. Whose session
// it is says the cookie; without one there is nothing to end.
func (a *API) logout(w http.ResponseWriter, r *http.Request) error {
	setSession(w, r, "", -1)
	secret, user, err := a.session(r)
	if err != nil {
		return err
	}
	if user != "" {
		if err := store.EndSession(r.Context(), a.cfg.Store.DB, store.SessionID(secret)); err != nil {
			return err
		}
		// After the session: a device that comes back with one of its tokens is refused.
		a.cfg.Hub.Disconnect(user, "logged out")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// bootstrap answers where the user's events have got to. A page asks for it before it
// reads anything: whatever happens while it reads then comes as an event.
func (a *API) bootstrap(w http.ResponseWriter, _ *http.Request, user string) error {
	return respond(w, http.StatusOK, struct {
		User   string          `json:"user"`
		Cursor usercast.Cursor `json:"cursor"`
	}{user, a.cfg.Hub.Cursor(user)})
}
