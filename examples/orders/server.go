package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/api"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/web"
)

const (
	// How long each part of the end may take: what hangs in one must not keep the next
	// from giving its jobs back.
	stopTimeout     = 10 * time.Second
	requestsTimeout = 3 * time.Second

	// What an ERP that does not answer costs.
	erpTimeout     = time.Minute
	fastERPTimeout = 10 * time.Second // of one without latency
)

// A server is all that runs, in the order in which it is started. It ends in the
// opposite order.
type server struct {
	ends []func(ctx context.Context) error

	erp *erp.Process
	mux *http.ServeMux
}

func (s *server) onEnd(end func(ctx context.Context) error) { s.ends = append(s.ends, end) }

// end ends what was started.
func (s *server) end() error {
	var errs []error
	for i := len(s.ends) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		errs = append(errs, s.ends[i](ctx))
		cancel()
	}
	return errors.Join(errs...)
}

// run serves until ctx ends, and calls ready when it can be reached.
func run(ctx context.Context, o options, log *slog.Logger, ready func(url string)) (err error) {
	s := &server{mux: http.NewServeMux()}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.start(ctx, o, log); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.addr)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           s.mux,
		ReadHeaderTimeout: 5 * time.Second, // the hub cannot know of clients that never finish their request
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }() // ends with srv
	// The last to start is the first to end: no request comes after that.
	s.onEnd(func(ctx context.Context) error { return endRequests(ctx, srv) })
	ready(pageURL(listener.Addr()))
	select {
	case err := <-failed:
		return err
	case <-s.erp.Exited():
		return errors.New("the ERP has ended by itself")
	case <-ctx.Done():
		return nil
	}
}

// endRequests waits for requests, and cuts those that do not end: a client that sends half
// of one is no error, and must not keep jobs from being given back.
func endRequests(ctx context.Context, srv *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, requestsTimeout)
	defer cancel()
	if err := srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return srv.Close()
}

// start starts everything below the HTTP server.
func (s *server) start(ctx context.Context, o options, log *slog.Logger) error {
	db, err := s.openStore(ctx, o)
	if err != nil {
		return err
	}
	secret, err := secretOf(ctx, db, o.secret)
	if err != nil {
		return err
	}
	if s.erp, err = erp.Start(ctx, erp.StartConfig{Config: erp.Config{Seed: o.seed, Latency: o.latency, Failures: o.failures}}); err != nil {
		return err
	}
	s.onEnd(func(context.Context) error { return s.erp.Close() })

	// The API and the hub believe the same tokens. The page sends its own to the hub as a
	// subprotocol; ?token= is for clients that cannot.
	auth, err := api.NewAuth(db, secret, "token")
	if err != nil {
		return err
	}
	hub, err := usercast.New(usercast.Config{Auth: auth, Logger: log})
	if err != nil {
		return err
	}
	s.onEnd(hub.Shutdown)

	runner, err := startJobs(ctx, o, db, hub, s.erp.URL(), log)
	if err != nil {
		return err
	}
	s.onEnd(runner.Stop) // before the hub, which tells the devices

	orders, err := api.New(api.Config{Store: db, Hub: hub, Jobs: runner, Secret: secret, TokenTTL: o.tokenTTL, Seed: o.seed, Logger: log})
	if err != nil {
		return err
	}
	s.mux.Handle("/api/", orders.Handler())
	s.mux.Handle("GET /ws", hub)
	s.mux.Handle("/", web.Handler())
	if o.adminToken != "" {
		s.mux.Handle("/admin/usercast/", http.StripPrefix("/admin/usercast", usercast.Admin(hub, usercast.AdminToken(o.adminToken))))
	}
	return nil
}

// openStore opens the database, in a temporary directory if no other place is given.
func (s *server) openStore(ctx context.Context, o options) (*store.Store, error) {
	dsn := o.dsn
	if dsn == "" {
		dir := o.data
		var err error
		if dir == "" {
			if dir, err = os.MkdirTemp("", "orders"); err == nil {
				s.onEnd(func(context.Context) error { return os.RemoveAll(dir) })
			}
		} else {
			err = os.MkdirAll(dir, 0o700)
		}
		if err != nil {
			return nil, fmt.Errorf("-data: %w", err)
		}
		dsn = filepath.Join(dir, "orders.db")
	}
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s.onEnd(func(context.Context) error { return db.Close() })
	return db, jobs.Migrate(ctx, db)
}

// secretOf returns what signs tokens: the secret that the database keeps, and the one that
// is given, if there is one. So a token is for one database, whose users it knows, and who
// reads that cannot sign.
func secretOf(ctx context.Context, db *store.Store, given []byte) ([]byte, error) {
	kept, err := store.Setting(ctx, db.DB, "token secret", rand.Text()+rand.Text())
	if err != nil || len(given) == 0 {
		return []byte(kept), err
	}
	mac := hmac.New(sha256.New, given)
	mac.Write([]byte(kept))
	return mac.Sum(nil), nil
}

// startJobs starts what runs jobs: also those that an earlier process has left.
func startJobs(ctx context.Context, o options, db *store.Store, hub usercast.Broadcaster, erpURL string, log *slog.Logger) (*jobs.Runner, error) {
	cfg := jobs.Config{Store: db, Hub: hub, ERP: erp.NewClient(erpURL), Timeout: erpTimeout, Logger: log}
	if o.latency == 0 {
		cfg.Timeout = fastERPTimeout
	}
	runner, err := jobs.New(cfg)
	if err != nil {
		return nil, err
	}
	return runner, runner.Start(ctx)
}

// pageURL is where a browser on this machine finds the page.
func pageURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
