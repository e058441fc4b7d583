// Server is the hub that the browser tests run against: the real one, beside a small
// HTTP interface by which a test publishes, revokes and reads what the hub has seen.
// What takes minutes in life takes seconds by its flags.
//
// It prints its address as one line of JSON, {"addr":"127.0.0.1:1234"}, and ends on
// SIGTERM or when its standard input does: whoever started it may die without a word.
// It is for tests only: whoever reaches its port may be anyone.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/usercast-go/usercast"
)

const (
	// secretVariable holds the key of the tokens, HS256. Other users of the machine
	// can see a program's arguments.
	secretVariable = "E2E_SECRET"
	// issuer is what tokens must say in iss and aud.
	issuer = "usercast-e2e"
)

// options are the flags. The hub's own fields are bounded by usercast.New.
type options struct {
	addr   string
	drain  time.Duration // how long the end may take
	leeway time.Duration
	buffer int // of the socket, in bytes; 0: the system's
	hub    usercast.Config
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:0", "`host:port` to listen on; port 0 takes a free one")
	flags.DurationVar(&o.drain, "drain", 5*time.Second, "how long the end may take")
	flags.DurationVar(&o.leeway, "leeway", time.Millisecond, "for how long a token is good after its end; at most 30s")
	flags.IntVar(&o.buffer, "write-buffer", 0, "`bytes` that a socket takes before it blocks; the system may round")
	flags.DurationVar(&o.hub.PingInterval, "ping-interval", 0, "Config.PingInterval, at least 1s; heartbeats come after 5/6 of it")
	flags.DurationVar(&o.hub.PongTimeout, "pong-timeout", 0, "Config.PongTimeout")
	flags.DurationVar(&o.hub.WriteTimeout, "write-timeout", 0, "Config.WriteTimeout")
	flags.DurationVar(&o.hub.BufferTTL, "buffer-ttl", 0, "Config.BufferTTL")
	flags.IntVar(&o.hub.BufferSize, "buffer-size", 0, "Config.BufferSize")
	flags.IntVar(&o.hub.MaxConns, "max-conns", 0, "Config.MaxConns")
	flags.IntVar(&o.hub.MaxConnsPerUser, "max-conns-per-user", 0, "Config.MaxConnsPerUser")
	flags.Func("origin", "one of Config.OriginPatterns; may be given more than once", func(s string) error {
		o.hub.OriginPatterns = append(o.hub.OriginPatterns, s)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// shrink bounds what the system takes from the hub for a peer that does not read, which
// else is megabytes.
func (o options) shrink(c net.Conn, state http.ConnState) {
	if c, ok := c.(*net.TCPConn); ok && o.buffer > 0 && state == http.StateNew {
		c.SetWriteBuffer(o.buffer) // an error means that the peer has gone
	}
}

func main() {
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, orphaned := context.WithCancel(ctx)
	context.AfterFunc(ctx, stop) // a second signal kills
	go func() {
		io.Copy(io.Discard, os.Stdin) // an error is an end as well
		orphaned()
	}()
	if err := run(ctx, o, []byte(os.Getenv(secretVariable)), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, and says on out where.
func run(ctx context.Context, o options, secret []byte, out io.Writer) error {
	auth, err := usercast.NewJWT(usercast.JWTConfig{
		Secret: secret, Methods: []string{"HS256"}, Issuer: issuer, Audience: issuer,
		Leeway: o.leeway, QueryParam: "-", Cookie: "token",
	})
	if err != nil {
		return fmt.Errorf("%s: %w", secretVariable, err)
	}
	seen := &journal{}
	o.hub.Auth = auth
	o.hub.OnConnect, o.hub.OnDisconnect, o.hub.OnMessage = seen.connected, seen.disconnected, seen.message
	o.hub.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	hub, err := usercast.New(o.hub)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", o.addr)
	if err != nil {
		return errors.Join(err, hub.Shutdown(context.Background()))
	}
	srv := &http.Server{Handler: routes(hub, seen), ReadHeaderTimeout: 5 * time.Second, ConnState: o.shrink}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	json.NewEncoder(out).Encode(map[string]string{"addr": ln.Addr().String()})
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), o.drain)
	defer cancel()
	// The hub first: http.Server.Shutdown knows nothing of upgraded connections.
	return errors.Join(err, hub.Shutdown(end), srv.Shutdown(end))
}
