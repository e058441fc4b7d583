// Package serve is everything that the Go servers under test have in common: the listener, the control channel and
// the publisher. A server adds only what differs: how it accepts a connection and how it broadcasts.
package serve

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/usercast-go/usercast/bench/internal/control"
	"github.com/usercast-go/usercast/bench/internal/event"
)

// Contender is one library under test.
type Contender interface {
	http.Handler
	// Broadcast encodes the payload and hands it to every device of the user. One goroutine calls it.
	Broadcast(user string, p event.Payload) error
	// Connections counts the open connections.
	Connections() int
}

// Options are the same for every contender that can keep events.
type Options struct {
	BufferSize int
	BufferTTL  time.Duration
}

// Main runs the contender that build returns until standard input ends.
func Main(build func(Options) (Contender, error)) {
	var o Options
	flag.IntVar(&o.BufferSize, "buffer", 200, "events kept per user")
	flag.DurationVar(&o.BufferTTL, "ttl", 5*time.Minute, "how long an event is kept")
	flag.Parse()
	contender, err := build(o)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		// The generator leaves with a reset; what net/http has to say about that is of no interest.
		server := http.Server{Handler: contender, ErrorLog: log.New(io.Discard, "", 0)}
		log.Fatal(server.Serve(listener))
	}()
	s := session{contender: contender, publisher: newPublisher(contender), out: json.NewEncoder(os.Stdout)}
	s.reply(control.Reply{Port: listener.Addr().(*net.TCPAddr).Port})
	s.run(os.Stdin)
}

// session is the server's side of the control channel.
type session struct {
	contender Contender
	publisher *publisher

	mu  sync.Mutex // guards out: a publish command replies from its own goroutine
	out *json.Encoder
}

func (s *session) run(in io.Reader) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var c control.Command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatalf("bad command: %v", err)
		}
		switch c.Op {
		case control.OpAck:
			s.publisher.ack(c.Round)
		case control.OpPublish:
			go func() { s.reply(s.publisher.run(c)) }()
		case control.OpSettle:
			settle()
			s.reply(control.Reply{ID: c.ID, Stat: s.stat()})
		case control.OpStat:
			s.reply(control.Reply{ID: c.ID, Stat: s.stat()})
		default:
			s.reply(control.Reply{ID: c.ID, Error: fmt.Sprintf("unknown command %q", c.Op)})
		}
	}
}

func (s *session) reply(r control.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.out.Encode(r); err != nil {
		os.Exit(1) // the benchmark has gone
	}
}

func (s *session) stat() control.Stat {
	st := processStat()
	st.Conns = int64(s.contender.Connections())
	return st
}
