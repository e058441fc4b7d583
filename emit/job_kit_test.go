package emit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
)

// A tape stands in for the hub and keeps what was sent.
type tape struct {
	refuse func(user string, ev usercast.Event) error // nil: never

	mu     sync.Mutex
	events []taped
}

type taped struct {
	usercast.Event
	user string
	json string // the payload
	at   time.Time
}

func (tp *tape) Broadcast(user string, ev usercast.Event) error {
	if tp.refuse != nil {
		if err := tp.refuse(user, ev); err != nil {
			return err
		}
	}
	frozen, err := ev.Freeze()
	if err != nil {
		return err
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.events = append(tp.events, taped{ev, user, string(frozen.Payload.(json.RawMessage)), time.Now()})
	return nil
}

func (tp *tape) all() []taped {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return append([]taped(nil), tp.events...)
}

// types returns the types of all events, without a prefix, "QUEUED STARTED …".
func (tp *tape) types(prefix string) string {
	var names []string
	for _, ev := range tp.all() {
		names = append(names, strings.TrimPrefix(ev.Type, prefix))
	}
	return strings.Join(names, " ")
}

// newTestHub returns a hub that nobody can connect to, shut down with the test.
func newTestHub(t *testing.T, cfg usercast.Config) *usercast.Hub {
	t.Helper()
	cfg.Auth = usercast.AuthenticatorFunc(func(*http.Request) (usercast.Identity, error) {
		return usercast.Identity{}, usercast.ErrTokenMissing
	})
	hub, err := usercast.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := hub.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return hub
}

// wantErr fails unless err wraps want and its text has all of words.
func wantErr(t *testing.T, err, want error, words ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got error %q, want %q in it", err, w)
		}
	}
}

// A logBook is a logger to read.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBook) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// silent is for tests in which errors are the point.
var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

var testJobs = DefineJobs("TESTJOB")

var testJob = Job{ID: "7", UserID: "ann", Type: "export", EntityID: "o1", EntityName: "Order 1"}

type jobFunc = func(ctx context.Context, p *Progress) (any, error)

func newRunner(t *testing.T, to usercast.Broadcaster, change func(*JobConfig)) *JobRunner {
	t.Helper()
	cfg := JobConfig{Events: testJobs, To: to, Logger: silent}
	if change != nil {
		change(&cfg)
	}
	r, err := NewJobRunner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var errJob = errors.New("table jobs_secret does not exist")

func isTerminal(typ string) bool {
	switch strings.TrimPrefix(typ, "TESTJOB_") {
	case "COMPLETED", "FAILED", "CANCELLED":
		return true
	}
	return false
}

// wantOneEnd fails unless the job has exactly one last event, after which no more come,
// and all events have its key.
func wantOneEnd(t *testing.T, to *tape, id string) {
	t.Helper()
	ends, after := 0, ""
	for _, ev := range to.all() {
		if ev.Key != JobKey(id) || ev.Type == "TESTJOB_REQUEUED" {
			continue
		}
		if ends > 0 {
			after = ev.Type
		}
		if isTerminal(ev.Type) {
			ends++
		}
	}
	if ends != 1 || after != "" {
		t.Errorf("job %s: got %d last events and then %q, want one and nothing: %s", id, ends, after, to.types("TESTJOB_"))
	}
}

// untilEnd waits for the end of the job's context.
func untilEnd(ctx context.Context, _ *Progress) (any, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("query: %w", ctx.Err())
}

// failing fails n times, then succeeds.
func failing(n int) jobFunc {
	return func(context.Context, *Progress) (any, error) {
		if n--; n >= 0 {
			return nil, errJob
		}
		return "fine", nil
	}
}
