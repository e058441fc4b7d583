package usercasttest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast"
)

// A Recorder stands in for the hub in tests that need no connection: it is a
// [usercast.Broadcaster], and has the hub's other ways to broadcast. It holds what
// was sent, to whom and in which order, and refuses what a hub refuses, with the
// same errors.
//
// Its methods are safe for concurrent use.
type Recorder struct {
	t   testing.TB
	hub *usercast.Hub // judges the events, and counts them for Defined

	mu   sync.Mutex
	sent []Sent
	err  error
}

// Sent is one event that a Recorder was given.
type Sent struct {
	UserID string // "": everyone, by BroadcastAll
	usercast.Event
	JSON json.RawMessage // the payload as it would go over the wire
}

// NewRecorder makes a recorder, which ends with the test.
func NewRecorder(t testing.TB) *Recorder {
	t.Helper()
	return &Recorder{t: t, hub: NewServer(t, usercast.Config{}).Hub()}
}

// Fail makes the following broadcasts fail with an error: for tests of what becomes
// of a request then. nil ends that.
func (r *Recorder) Fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// Broadcast implements [usercast.Broadcaster].
func (r *Recorder) Broadcast(userID string, ev usercast.Event) error {
	_, err := r.BroadcastContext(context.Background(), userID, ev)
	return err
}

// BroadcastContext is as [usercast.Hub.BroadcastContext].
func (r *Recorder) BroadcastContext(ctx context.Context, userID string, ev usercast.Event) (ts usercast.Timestamp, err error) {
	err = r.record(ev, []string{userID}, func() (err error) {
		ts, err = r.hub.BroadcastContext(ctx, userID, ev)
		return err
	})
	return ts, err
}

// BroadcastMany is as [usercast.Hub.BroadcastMany]. It records one event a user, in
// the order of userIDs.
func (r *Recorder) BroadcastMany(ctx context.Context, userIDs []string, ev usercast.Event) error {
	var once []string
	for _, id := range userIDs {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return r.record(ev, once, func() error { return r.hub.BroadcastMany(ctx, userIDs, ev) })
}

// BroadcastAll is as [usercast.Hub.BroadcastAll].
func (r *Recorder) BroadcastAll(ctx context.Context, ev usercast.Event) error {
	return r.record(ev, []string{""}, func() error { return r.hub.BroadcastAll(ctx, ev) })
}

// record keeps an event if send takes it. Both happen under the lock, so that the
// order of what is recorded is that of what was sent.
func (r *Recorder) record(ev usercast.Event, users []string, send func() error) error {
	frozen, freezeErr := ev.Freeze()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if err := send(); err != nil {
		return err
	}
	if freezeErr != nil {
		return freezeErr // cannot be: a hub takes nothing that does not freeze
	}
	for _, u := range users {
		r.sent = append(r.sent, Sent{u, ev, frozen.Payload.(json.RawMessage)})
	}
	return nil
}

// Sent returns all that was sent and not asked for, in order.
func (r *Recorder) Sent() []Sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// Types returns the types of all that was sent to a user and not asked for, in
// order: "PENDING_CREATED JOB_STARTED".
func (r *Recorder) Types(userID string) string {
	var types []string
	for _, s := range r.Sent() {
		if s.UserID == userID {
			types = append(types, s.Type)
		}
	}
	return strings.Join(types, " ")
}

// RequireSent returns the payload of the first event of a type that was sent to a
// user, and counts it as asked for. The test fails if there is none.
func RequireSent[T any](r *Recorder, userID string, event usercast.EventType[T]) T {
	r.t.Helper()
	s, ok := r.take(userID, event.Name())
	if !ok {
		r.t.Fatalf("usercasttest: no %s was sent to %q%s", event.Name(), userID, r.list())
	}
	payload, err := decode[T](s.JSON)
	if err != nil {
		r.t.Fatalf("usercasttest: %s: %s: %v", event.Name(), s.JSON, err)
	}
	return payload
}

// RequireNothingSent fails the test if anything was sent that was not asked for.
func (r *Recorder) RequireNothingSent() {
	r.t.Helper()
	if len(r.Sent()) > 0 {
		r.t.Fatalf("usercasttest: want nothing sent%s", r.list())
	}
}

func (r *Recorder) take(userID, typ string) (Sent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.sent, func(s Sent) bool { return s.UserID == userID && s.Type == typ })
	if i < 0 {
		return Sent{}, false
	}
	s := r.sent[i]
	r.sent = slices.Delete(r.sent, i, i+1)
	return s, true
}

// list says what was sent, for messages.
func (r *Recorder) list() string {
	var b strings.Builder
	for _, s := range r.Sent() {
		fmt.Fprintf(&b, "\n\t%q %s %.100s", s.UserID, s.Type, s.JSON)
	}
	return b.String()
}
