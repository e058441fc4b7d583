// Quickstart is a small order book on two devices. It needs nothing but Go:
//
//	go run ./examples/quickstart
//
// Read events.go and orders.go first: which events there are, and what every
// handler of an application does, in this order: write, respond, broadcast. Everything
// is kept in memory and gone when the program ends.
package main

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// secretVariable holds the key that signs tokens. It is no flag, for other users
// of the machine can see a program's arguments.
const secretVariable = "QUICKSTART_SECRET"

const usage = `Quickstart shows usercast on a page with two devices of one user.

Usage: quickstart [-addr host:port] [-token-ttl duration]

`

const usageEnd = `
Environment:
  %s
    	secret that signs tokens, at least 32 bytes. Without it every start makes
    	a random one: tokens of the last run are then refused, and the page logs
    	in again by itself.
`

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`host:port` to listen on; port 0 takes a free one")
	tokenTTL := flag.Duration("token-ttl", 5*time.Minute,
		"how long a token is good for, at least 70s; the page renews it in the last minute")
	flag.Usage = func() {
		out := flag.CommandLine.Output()
		fmt.Fprint(out, usage)
		flag.PrintDefaults()
		fmt.Fprintf(out, usageEnd, secretVariable)
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(flag.CommandLine.Output(), "unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C kills
	if err := run(ctx, *addr, []byte(os.Getenv(secretVariable)), *tokenTTL); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, addr string, secret []byte, tokenTTL time.Duration) error {
	secretFrom := "from " + secretVariable
	if len(secret) == 0 {
		secret = make([]byte, 32)
		rand.Read(secret)
		secretFrom = "random, so tokens end with this process"
	}
	a, err := newApp(secret, tokenTTL, slog.Default())
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, a.shutdown(context.Background()))
	}
	srv := &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: 5 * time.Second, // the hub cannot know of clients that never finish their request
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	fmt.Printf("Open %s\nSigning secret: %s. Stop with ^C.\n", pageURL(ln.Addr()), secretFrom)

	select {
	case err = <-failed:
	case <-ctx.Done():
		fmt.Println("Stopping.")
	}
	// The hub first: http.Server.Shutdown knows nothing of upgraded connections.
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(err, a.shutdown(end), srv.Shutdown(end))
}

// pageURL is where a browser on this machine finds the page.
func pageURL(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// An app is the application: its data, and the hub that tells of changes.
type app struct {
	hub    *usercast.Hub
	auth   *usercast.JWT // the same tokens open the API and the hub
	tokens issuer
	orders *orders
	jobs   *jobs
	runner *emit.JobRunner
	log    *slog.Logger
}

func newApp(secret []byte, tokenTTL time.Duration, log *slog.Logger) (*app, error) {
	if tokenTTL < minTokenTTL {
		return nil, fmt.Errorf("-token-ttl is %v, want at least %v", tokenTTL, minTokenTTL)
	}
	auth, err := usercast.NewJWT(usercast.JWTConfig{
		Secret:     secret,
		Methods:    []string{"HS256"},
		Issuer:     tokenIssuer,
		Audience:   tokenAudience,
		QueryParam: "-", // the page sends its token as a subprotocol: URLs end up in logs
	})
	if err != nil {
		return nil, err
	}
	hub, err := usercast.New(usercast.Config{Auth: auth})
	if err != nil {
		return nil, err
	}
	a := &app{
		hub:    hub,
		auth:   auth,
		tokens: issuer{secret, tokenTTL},
		orders: newOrders(),
		jobs:   newJobs(),
		log:    log,
	}
	a.runner, err = emit.NewJobRunner(emit.JobConfig{
		Events:   jobEvents,
		To:       hub,
		Before:   a.writeDown,
		Progress: emit.ProgressConfig{EveryRecords: 1, PerSecond: 10},
		Logger:   log,
	})
	return a, err
}

// shutdown ends the jobs, so that each can still say that it was cancelled, and
// then the hub, which delivers that and asks the devices to come back later.
func (a *app) shutdown(ctx context.Context) error {
	a.jobs.stop()
	return a.hub.Shutdown(ctx)
}

//go:embed page
var files embed.FS

func (a *app) routes() http.Handler {
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err) // the page is part of the program
	}
	mux := http.NewServeMux()
	mux.Handle("GET /events", a.hub)
	mux.HandleFunc("POST /login", a.login)
	mux.Handle("GET /state", a.signedIn(a.state))
	mux.Handle("POST /orders", a.signedIn(a.createOrder))
	mux.Handle("PUT /orders/{id}", a.signedIn(a.updateOrder))
	mux.Handle("DELETE /orders/{id}", a.signedIn(a.deleteOrder))
	mux.Handle("DELETE /orders", a.signedIn(a.deleteAllOrders))
	mux.Handle("POST /jobs", a.signedIn(a.startJob))
	mux.Handle("GET /", http.FileServerFS(page))
	return secured(mux)
}

// secured lets the page load nothing from elsewhere, and nobody frame it.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// state is what a device shows, and where in the user's events that was.
type state struct {
	Cursor usercast.Cursor `json:"cursor"`
	Orders []order         `json:"orders"`
	Jobs   []job           `json:"jobs"`
}

// state returns everything a device needs to begin.
func (a *app) state(w http.ResponseWriter, r *http.Request, user string) {
	// The cursor comes before the data. What changes in between is then in the
	// data, in the events that follow the cursor, or in both; never in neither.
	cursor := a.hub.Cursor(user)
	respond(w, http.StatusOK, state{cursor, a.orders.list(user), a.jobs.list(user)})
}
