// Orders is an order book for sales agents: orders are written down, sent to a slow ERP by
// background jobs, and every device of the agent shows what happens as it does. It needs
// nothing but Go:
//
//	go run ./examples/orders
//
// Read events/events.go first, which lists what can happen, then api/pending.go for
// what every write does, and jobs/doc.go for what takes longer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/usercast-go/usercast/examples/orders/api"
	"github.com/usercast-go/usercast/examples/orders/erp"
)

// Secrets are no flags, for other users of the machine can see a program's arguments.
const (
	secretVariable = "ORDERS_SECRET"
	adminVariable  = "ORDERS_ADMIN_TOKEN"
)

// minSecret is what HS256 asks for, in bytes.
const minSecret = 32

const usage = `Orders is an order book: open its page on two devices as the same user, and see each
show what the other does. Anyone may log in as anyone; it is a demo.

Usage: orders [flags]

`

const usageEnd = `
Environment:
  %s
    	secret that signs tokens, at least %d bytes, together with a random one that
    	the database keeps. Without it that one does, and who reads the database can
    	sign; sessions survive a restart in both cases
  %s
    	token for operators. With it "usercast tail" and its like work on
    	http://ADDR/admin/usercast/; see usercast.Admin

Texts that the ERP heeds, in a note, a customer's name or an article:
  #fail    it refuses for good
  #flaky   the first attempt fails
  #slow    it takes about 15 seconds
  #hang    it never answers

^C and SIGTERM end the program: jobs that run go back to the queue, and go on at the next
start if the database is kept (-data or -dsn).
`

// options are what the program is told.
type options struct {
	addr       string
	dsn        string // "": a file in data
	data       string // "": a directory that is removed at the end
	seed       int64
	latency    time.Duration
	failures   float64
	tokenTTL   time.Duration
	secret     []byte // nil: kept in the database
	adminToken string // "": no routes for operators
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "erp" { // the server starts its ERP so
		os.Exit(erp.Main(os.Args[2:]))
	}
	o, err := parse(os.Args[1:], os.Getenv, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second ^C kills
	ready := func(url string) { fmt.Println("orders: open", url) }
	if err := run(ctx, o, slog.Default(), ready); err != nil {
		fmt.Fprintln(os.Stderr, "orders:", err)
		os.Exit(1)
	}
}

// parse reads flags and environment. What is wrong with a flag is told on out by package
// flag, the rest by the error.
func parse(args []string, getenv func(string) string, out io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("orders", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
		fmt.Fprintf(out, usageEnd, secretVariable, minSecret, adminVariable)
	}
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8090", "`host:port` to listen on; port 0 takes a free one")
	flags.StringVar(&o.dsn, "dsn", "", "`URL` of a PostgreSQL database, postgres://user:password@host/name; without it SQLite")
	flags.StringVar(&o.data, "data", "", "`directory` of SQLite's file, which is kept; without it a temporary one, removed at the end")
	flags.Int64Var(&o.seed, "seed", 1, "`number` that decides on the demo data of new users, and on the ERP's latencies and failures")
	flags.DurationVar(&o.latency, "erp-latency", 300*time.Millisecond, "how long a call of the ERP takes on average; 0: nothing, and what hangs times out after 10s instead of 60s")
	flags.Float64Var(&o.failures, "erp-failures", 0.03, "`share` of the ERP's calls that fail and are tried again, 0 to 1")
	flags.DurationVar(&o.tokenTTL, "token-ttl", 5*time.Minute, "how long a token is good for, at least 70s; the page renews it in the last minute")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.secret, o.adminToken = []byte(getenv(secretVariable)), getenv(adminVariable)
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; -h lists the flags", flags.Arg(0))
	case o.dsn != "" && !strings.HasPrefix(o.dsn, "postgres://") && !strings.HasPrefix(o.dsn, "postgresql://"):
		return o, errors.New("-dsn: want a URL postgres://…; for SQLite leave it out, and give -data")
	case o.dsn != "" && o.data != "":
		return o, errors.New("-data: is SQLite's; leave out either -dsn or -data")
	case o.latency < 0 || o.latency > time.Minute:
		return o, fmt.Errorf("-erp-latency: %v, want 0 to 1m", o.latency)
	case !(o.failures >= 0 && o.failures <= 1):
		return o, fmt.Errorf("-erp-failures: %v, want 0 to 1", o.failures)
	case o.tokenTTL < api.MinTokenTTL:
		return o, fmt.Errorf("-token-ttl: %v, want at least %v", o.tokenTTL, api.MinTokenTTL)
	case len(o.secret) > 0 && len(o.secret) < minSecret:
		return o, fmt.Errorf("%s: %d bytes, want at least %d; openssl rand -hex 32 makes one", secretVariable, len(o.secret), minSecret)
	}
	return o, nil
}
