// Package api is the order book over HTTP: the routes by which a page logs in, reads and
// writes. What every write does, in this order: check what was sent, change the rows in a
// transaction that collects its events, answer; then the events go to the user's other
// devices. No handler sends to the hub itself: package emit does so when the transaction
// is committed and the response is out, and whatever becomes of an event, the request
// has succeeded by then.
//
// Answers are JSON. What is refused is answered by {"error", "field", "fix"}: what is
// wrong, where, and what to do about it.
//
// # Bounds
//
// A body has at most 1 MiB, a batch 200 orders, an import 2,000 records, a list 500 rows
// (of customers 3,000), an order 8 KiB. A user has 100 requests a second with bursts of
// 300, of which 8 are answered at once and one writes; the others wait, 10 seconds at the
// most. Everybody together has 100 logins a second with bursts of 300, and 2 new users with
// bursts of 100. Texts and numbers are bounded one by one: see input.go.
package api

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// A Hub is what the API needs of a *usercast.Hub.
type Hub interface {
	usercast.Broadcaster
	Cursor(userID string) usercast.Cursor
	Disconnect(userID string, reason string) int
	Stats() usercast.Stats
}

const (
	// MinTokenTTL leaves a page time between the hub's warning, a minute before the
	// end of its token, and the end.
	MinTokenTTL     = 70 * time.Second
	defaultTokenTTL = 5 * time.Minute
	defaultMaxUsers = 10_000
)

// Config says what the API works with.
type Config struct {
	Store *store.Store // required
	Hub   Hub          // required
	Jobs  Jobs         // required

	// Secret signs tokens: at least 32 bytes. Required.
	Secret []byte
	// TokenTTL is how long a token is good for. 0: 5 minutes; at least MinTokenTTL.
	TokenTTL time.Duration
	// Seed makes the demo data of new users: the same seed and name give the same.
	Seed int64
	// MaxUsers is how many users there may be. 0: 10,000.
	MaxUsers int
	// Logger hears of errors that are nobody's but the server's. nil: slog.Default.
	Logger *slog.Logger
}

// An API serves the routes below /api/. It is safe for concurrent use.
type API struct {
	cfg     Config
	auth    *Auth
	log     *slog.Logger
	limits  *limits
	monitor monitor
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.TokenTTL == 0 {
		cfg.TokenTTL = defaultTokenTTL
	}
	if cfg.MaxUsers == 0 {
		cfg.MaxUsers = defaultMaxUsers
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	switch {
	case cfg.Store == nil:
		return nil, fmt.Errorf("api: Config.Store: missing; store.Open makes one")
	case cfg.Hub == nil:
		return nil, fmt.Errorf("api: Config.Hub: missing; usercast.New makes one")
	case cfg.Jobs == nil:
		return nil, fmt.Errorf("api: Config.Jobs: missing; jobs.New makes them")
	case cfg.TokenTTL < MinTokenTTL:
		return nil, fmt.Errorf("api: Config.TokenTTL: %v, want at least %v", cfg.TokenTTL, MinTokenTTL)
	case cfg.MaxUsers < 0:
		return nil, fmt.Errorf("api: Config.MaxUsers: %d, want 1 or more, or 0 for %d", cfg.MaxUsers, defaultMaxUsers)
	}
	auth, err := NewAuth(cfg.Store, cfg.Secret, "-") // the API takes tokens from a header only
	if err != nil {
		return nil, err
	}
	return &API{cfg: cfg, auth: auth, log: cfg.Logger, limits: newLimits(), monitor: monitor{started: time.Now()}}, nil
}

// Handler returns the routes. They take no request that a page of another site sends.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /api/login", a.open(a.login))
	mux.Handle("POST /api/token", a.open(a.renew))
	mux.Handle("POST /api/logout", a.open(a.logout))
	for route, handle := range a.userRoutes() {
		mux.Handle(route, a.signedIn(handle))
	}
	mux.Handle("/api/", a.open(func(http.ResponseWriter, *http.Request) error {
		return &problem{Status: http.StatusNotFound, Message: "no such route", Fix: "look at the list of routes in api.go"}
	}))
	ownPages := http.NewCrossOriginProtection()
	ownPages.SetDenyHandler(a.open(func(http.ResponseWriter, *http.Request) error {
		return &problem{Status: http.StatusForbidden, Message: "a page of another site sent this", Fix: "use the page of this server"}
	}))
	return ownPages.Handler(mux)
}

// userRoutes are those for which one must be logged in.
func (a *API) userRoutes() map[string]handler {
	return map[string]handler{
		"GET /api/bootstrap": a.bootstrap,

		"GET /api/orders":              a.listPending,
		"POST /api/orders":             a.createPending,
		"DELETE /api/orders":           a.deletePending,
		"POST /api/orders/batch":       a.batchPending,
		"PUT /api/orders/{id}":         a.updatePending,
		"POST /api/orders/{id}/submit": a.submitPending,

		"GET /api/submitted":              a.listSubmitted,
		"POST /api/submitted/{id}/edit":   a.editOrder,
		"POST /api/submitted/{id}/delete": a.deleteOrder,
		"POST /api/submitted/{id}/verona": a.sendToVerona,

		"GET /api/history":                  a.listHistory,
		"POST /api/history":                 a.createHistory,
		"POST /api/history/import":          a.importHistory,
		"PUT /api/history/{id}":             a.updateHistory,
		"DELETE /api/history/{id}":          a.deleteHistory,
		"POST /api/history/{id}/edit-erp":   a.editHistoryInERP,
		"POST /api/history/{id}/delete-erp": a.deleteHistoryInERP,

		"GET /api/customers":              a.listCustomers,
		"POST /api/customers/{id}/update": a.updateCustomer,

		"GET /api/notifications":            a.listNotifications,
		"POST /api/notifications/{id}/read": a.readNotification,
		"POST /api/notifications/read-all":  a.readAllNotifications,

		"GET /api/jobs":              a.listJobs,
		"POST /api/jobs/{id}/cancel": a.cancelJob,
		"POST /api/jobs/{id}/retry":  a.retryJob,

		"GET /api/syncs":         a.listSyncs,
		"POST /api/syncs/{type}": a.startSync,

		"GET /api/monitor": a.readMonitor,
	}
}

// A handler answers a request of a user, or returns why it is refused. Its events go to
// the outbox of its transaction, or of the request.
type handler func(w http.ResponseWriter, r *http.Request, user string) error

// signedIn lets a request through with the user its token was made for, and gives it an
// outbox for its events. That is sent when the response is out, and dropped if the response
// says that nothing was changed.
func (a *API) signedIn(next handler) http.Handler {
	answer := a.open(func(w http.ResponseWriter, r *http.Request) error {
		user, err := a.userOf(r)
		if err != nil {
			return err
		}
		leave, err := a.limits.enter(r.Context(), user)
		if err != nil {
			return err
		}
		defer leave()
		return next(w, r, user)
	})
	return emit.OutboxConfig{Logger: a.log}.Middleware(a.cfg.Hub)(answer)
}

// open answers what a handler has refused.
func (a *API) open(next func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := next(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// write runs fn in a transaction, when it is its turn. The events of out are sent when it
// is committed and the response is out; fn runs again if the transaction met another one.
func (a *API) write(r *http.Request, user string, fn func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) error) error {
	done, err := a.limits.write(r.Context(), user)
	if err != nil {
		return err
	}
	defer done()
	unlock, err := a.cfg.Store.LockWrites(r.Context())
	if err != nil {
		return err
	}
	defer unlock()
	options := &emit.TxOptions{Retry: emit.Conflict}
	return emit.Tx(r.Context(), a.cfg.Store.DB, a.cfg.Hub, options, func(tx *sql.Tx, out *emit.Outbox) error {
		return fn(r.Context(), tx, out)
	})
}

// deviceOf names the page that sent a request, for Event.Except: it has its answer, and
// needs no echo, which it would take for somebody else's change. It is the ID by which it
// connects to the hub (?device=). A name that cannot be one is nobody's.
func deviceOf(r *http.Request) string {
	device := r.Header.Get("X-Device")
	if len(device) > usercast.MaxDeviceBytes {
		return ""
	}
	return device
}
