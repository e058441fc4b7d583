package erp

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"
)

// Main is the simulator: it serves until stdin closes, and returns the exit code. args
// are those after "erp": -seed, -latency, -failures.
func Main(args []string) int {
	flags := flag.NewFlagSet("orders erp", flag.ContinueOnError)
	seed := flags.Int64("seed", 1, "of data, latencies and failures")
	latency := flags.Duration("latency", 300*time.Millisecond, "mean of a call; 0: none")
	failures := flags.Float64("failures", 0.03, "share of calls that fail and may be tried again, 0 to 1")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if err := serve(Config{Seed: *seed, Latency: *latency, Failures: *failures}, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "orders erp:", err)
		return 1
	}
	return 0
}

// serve serves until in ends.
func serve(cfg Config, in io.Reader, out io.Writer) error {
	handler, err := NewHandler(cfg)
	if err != nil {
		return err
	}
	// ^C goes to every process of the terminal. The server still has jobs to give back
	// then, and closes stdin when it has.
	signal.Ignore(os.Interrupt)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	// Calls that hang end with base, so that Shutdown need not wait for them.
	base, cancel := context.WithCancel(context.Background())
	defer cancel()
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(listener) }()
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	closed := make(chan struct{})
	go func() { // ends with stdin, and else with the process
		defer close(closed)
		io.Copy(io.Discard, in)
	}()
	select {
	case err := <-served:
		return err
	case <-closed:
		cancel()
		srv.Close()
		<-served
		return nil
	}
}
