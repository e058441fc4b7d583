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

// quoted is s as JSON.
func quoted(s string) string { return fmt.Sprintf("%q", s) }
