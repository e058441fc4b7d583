package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDSN); dsn != "" {
		os.Exit(child(dsn))
	}
	os.Exit(storetest.Main(m))
}

// patience is how long a test waits for what must come, on a machine that has much else to do.
const patience = 2 * time.Minute

// A heard is an event as devices got it.
type heard struct {
	user, typ string
	payload   json.RawMessage
}

// field returns a field of the payload.
func (h heard) field(name string) string {
	var m map[string]any
	json.Unmarshal(h.payload, &m)
	return fmt.Sprint(m[name])
}

func (h heard) job() string {
	if h.typ == "JOB_REQUEUED" {
		return h.field("originalJobId")
	}
	return h.field("jobId")
}

// A tape is a hub that remembers.
type tape struct {
	mu    sync.Mutex
	all   []heard
	check func(heard) // called with every event, in order
}

// Broadcast implements usercast.Broadcaster.
func (tp *tape) Broadcast(user string, ev usercast.Event) error {
	raw, err := json.Marshal(ev.Payload)
	if err != nil {
		return err
	}
	tp.mu.Lock()
	defer tp.mu.Unlock()
	h := heard{user, ev.Type, raw}
	tp.all = append(tp.all, h)
	if tp.check != nil {
		tp.check(h)
	}
	return nil
}

func (tp *tape) events() []heard {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return append([]heard(nil), tp.all...)
}

// types returns the types of a user's events, without those that come in any number.
func (tp *tape) types(user string) string {
	var list []string
	for _, h := range tp.events() {
		if h.user == user && !strings.HasSuffix(h.typ, "_PROGRESS") {
			list = append(list, h.typ)
		}
	}
	return strings.Join(list, " ")
}

// progress returns the types of progress that a user has heard, each once.
func (tp *tape) progress(user string) string {
	var list []string
	seen := map[string]bool{}
	for _, h := range tp.events() {
		if h.user == user && strings.HasSuffix(h.typ, "_PROGRESS") && !seen[h.typ] {
			seen[h.typ] = true
			list = append(list, h.typ)
		}
	}
	return strings.Join(list, " ")
}

// isLast says whether an event is a job's last one.
func isLast(typ string) bool {
	return typ == "JOB_COMPLETED" || typ == "JOB_FAILED" || typ == "JOB_CANCELLED"
}

// quick is a pace for tests. No lease runs out, however slow the machine, but where a test
// has one of its own.
var quick = pace{lease: 30 * time.Second, tick: 100 * time.Millisecond, end: 3 * time.Second}

// noTicks is a pace at which nothing is found by looking: every turn has to be given.
var noTicks = pace{lease: time.Hour, tick: time.Hour, end: quick.end}

// A bench is a runner with all that it needs.
type bench struct {
	*Runner
	t     *testing.T
	store *store.Store
	tape  *tape
}

// serveERP serves an ERP within the test, and returns its URL.
func serveERP(t testing.TB, cfg erp.Config) string {
	t.Helper()
	handler, err := erp.NewHandler(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	return srv.URL
}

func newERP(t testing.TB, cfg erp.Config) *erp.Client {
	t.Helper()
	c := erp.NewClient(serveERP(t, cfg))
	t.Cleanup(c.Close)
	return c
}

// newBench makes a runner that does not run yet. change may change its Config.
func newBench(t *testing.T, s *store.Store, tp *tape, change func(*Config)) *bench {
	t.Helper()
	if err := Migrate(context.Background(), s); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Store: s, Hub: tp, Timeout: 5 * time.Second, Backoff: func(int) time.Duration { return 10 * time.Millisecond },
		Logger: testLog(), pace: quick}
	if change != nil {
		change(&cfg)
	}
	if cfg.ERP == nil {
		cfg.ERP = newERP(t, erp.Config{MaxRows: 900, SlowFor: 2 * time.Second})
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{r, t, s, tp}
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) start() *bench {
	b.t.Helper()
	if err := b.Start(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func (b *bench) stop() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

// enqueue adds a job as a request does.
func (b *bench) enqueue(req Request) string {
	b.t.Helper()
	id, err := b.tryEnqueue(req)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

func (b *bench) tryEnqueue(req Request) (id string, err error) {
	err = emit.Tx(context.Background(), b.store.DB, b.tape, &emit.TxOptions{Retry: emit.Conflict}, func(tx *sql.Tx, out *emit.Outbox) error {
		id, err = b.Enqueue(context.Background(), tx, out, req)
		return err
	})
	return id, err
}

// job returns a job's row.
func (b *bench) job(user, id string) Job {
	b.t.Helper()
	j, err := find(context.Background(), b.store.DB, user, id)
	if err != nil {
		b.t.Fatal(err)
	}
	return j.Job
}

// wait waits until something is so.
func wantSoon(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// ended waits for a job's last event and returns it.
func (b *bench) ended(id string) (last heard) {
	b.t.Helper()
	wantSoon(b.t, "the last event of "+id, func() bool {
		for _, h := range b.tape.events() {
			if isLast(h.typ) && h.job() == id {
				last = h
				return true
			}
		}
		return false
	})
	return last
}

// until waits for an event of a job.
func (b *bench) until(typ, id string) {
	b.t.Helper()
	wantSoon(b.t, typ+" of "+id, func() bool {
		for _, h := range b.tape.events() {
			if h.typ == typ && h.job() == id {
				return true
			}
		}
		return false
	})
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func wantErr(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got error %v, want one that wraps %v", what, err, want)
	}
}

// fake is a kind that works on nothing.
func fake(work func(ctx context.Context, run *run, p *emit.Progress) (any, error)) kind {
	return kind{
		begin:  func(context.Context, *sql.Tx, usercast.Broadcaster, *record) error { return nil },
		work:   work,
		done:   func(context.Context, *sql.Tx, usercast.Broadcaster, *record, any) error { return nil },
		undone: func(context.Context, *sql.Tx, usercast.Broadcaster, *record, string, string) error { return nil },
	}
}

// testLog keeps quiet, unless ORDERS_TEST_LOG is set.
func testLog() *slog.Logger {
	if os.Getenv("ORDERS_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	return slog.New(slog.DiscardHandler)
}

var errTest = errors.New("boom: secret host 10.0.0.7")

// fakes makes kinds of these names that all do the same.
func fakes(work func(ctx context.Context, run *run, p *emit.Progress) (any, error), names ...string) map[string]kind {
	kinds := map[string]kind{}
	for _, name := range names {
		kinds[name] = fake(work)
	}
	return kinds
}

// gateway is a kind of job that runs until it is let go.
type gateway struct {
	mu   sync.Mutex
	open map[string]chan struct{}
}

func (g *gateway) of(id string) chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = map[string]chan struct{}{}
	}
	if g.open[id] == nil {
		g.open[id] = make(chan struct{})
	}
	return g.open[id]
}

func (g *gateway) work(ctx context.Context, run *run, p *emit.Progress) (any, error) {
	p.Report(1, 4, "waiting")
	select {
	case <-g.of(run.ID):
		return "done", nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
