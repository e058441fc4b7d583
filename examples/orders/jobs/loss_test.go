package jobs

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// abandon makes a job look like that of a process that was killed: it runs, and nobody
// renews its lease. River's own turn is lost with it.
func abandon(t *testing.T, s *store.Store, id string, lost int) {
	t.Helper()
	for _, q := range []string{
		`UPDATE jobs SET status = 'running', owner = 'dead', claims = 1, attempt = 1, given = 0, given_at = 0, lease_until = ` + clock(s.Dialect) + ` + 300000, lost = ` + fmt.Sprint(lost) + ` WHERE id = '` + id + `'`,
		`DELETE FROM river_job`,
	} {
		if _, err := s.DB.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKilledJobs(t *testing.T) {
	for name, test := range map[string]struct {
		leave  func(t *testing.T, s *store.Store, b *bench, id string)
		events string
		lost   int
	}{
		"while it ran": {func(t *testing.T, s *store.Store, _ *bench, id string) { abandon(t, s, id, 0) },
			"ORDER_UPDATED JOB_QUEUED JOB_STARTED ORDER_EDIT_COMPLETE ORDER_UPDATED JOB_COMPLETED", 1},
		"for the last time": {func(t *testing.T, s *store.Store, _ *bench, id string) { abandon(t, s, id, maxLost-1) },
			"ORDER_UPDATED JOB_QUEUED JOB_STARTED ORDER_EDIT_COMPLETE ORDER_UPDATED JOB_COMPLETED", maxLost},
		"too often": {func(t *testing.T, s *store.Store, _ *bench, id string) { abandon(t, s, id, maxLost) },
			"ORDER_UPDATED JOB_QUEUED ORDER_UPDATED JOB_FAILED", maxLost + 1},
		"and then cancelled": {func(t *testing.T, s *store.Store, b *bench, id string) {
			abandon(t, s, id, 0)
			if err := b.Cancel(context.Background(), "anna", id); err != nil {
				t.Error(err)
			}
		}, "ORDER_UPDATED JOB_QUEUED ORDER_UPDATED JOB_CANCELLED", 1},
		"between turn and claim": {func(t *testing.T, s *store.Store, _ *bench, _ string) {
			if _, err := s.DB.Exec(`DELETE FROM river_job`); err != nil {
				t.Fatal(err)
			}
		}, "ORDER_UPDATED JOB_QUEUED JOB_STARTED ORDER_EDIT_COMPLETE ORDER_UPDATED JOB_COMPLETED", 0},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) {
				tp := &tape{}
				b := newBench(t, s, tp, nil)
				th := addThings(t, s, "anna", "")
				id := b.enqueue(Request{UserID: "anna", Type: EditOrder, EntityID: th.order, Args: NoteArgs{"noon"}})
				test.leave(t, s, b, id)
				b.start().ended(id)
				want(t, "events", tp.types("anna"), test.events)
				j, err := find(t.Context(), s.DB, "anna", id)
				if err != nil || j.lost != test.lost {
					t.Errorf("got %+v, %v; want %d lost claims", j, err, test.lost)
				}
				if test.lost > maxLost && (j.Error == nil || *j.Error != "interrupted") {
					t.Errorf("its error is %v", j.Error)
				}
			})
		})
	}
}

// A process whose claim is lost tells nothing and writes nothing, and stops.
func TestLostClaim(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		tp := &tape{}
		stopped := make(chan error, 1)
		b := newBench(t, s, tp, func(c *Config) {
			c.kinds = fakes(func(ctx context.Context, run *run, p *emit.Progress) (any, error) {
				<-ctx.Done()
				p.Report(3, 4, "somebody else's")
				stopped <- context.Cause(ctx)
				return "done all the same", nil
			}, "job")
		}).start()
		id := b.enqueue(Request{UserID: "anna", Type: "job"})
		b.until("JOB_STARTED", id)
		if _, err := s.DB.Exec(`UPDATE jobs SET owner = 'another', claims = claims + 1, label = 'theirs', lease_until = lease_until + 60000000`); err != nil {
			t.Fatal(err)
		}
		wantErr(t, "why it stopped", <-stopped, errLost)
		wantSoon(t, "it leaves", func() bool { return b.running(id) == nil })
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED")
		want(t, "progress", tp.progress("anna"), "")
		j := b.job("anna", id)
		want(t, "the row", j.Status+" "+j.Label, "running theirs")
	})
}

// An end that cannot be written is tried again, and told once, when it is written.
func TestEndIsWrittenLater(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		tp := &tape{}
		var away atomic.Int32      // so many times more
		var awayForOne atomic.Bool // for as long as the first claim lasts
		b := newBench(t, s, tp, func(c *Config) {
			k := fake(func(context.Context, *run, *emit.Progress) (any, error) { return "fine", nil })
			k.done = func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, result any) error {
				if _, err := store.AddNotification(ctx, tx, j.user, "done", "done"); err != nil {
					return err
				}
				if err := broadcast(to, j, events.NotificationNew, events.NewNotification{}); err != nil {
					return err
				}
				if away.Add(-1) >= 0 || awayForOne.Load() && j.lost == 0 {
					return errTest
				}
				return nil
			}
			c.kinds = map[string]kind{"job": k}
			c.pace.lease = 4 * time.Second
		}).start()
		away.Store(3)
		id := b.enqueue(Request{UserID: "anna", Type: "job"})
		b.ended(id)
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED NOTIFICATION_NEW JOB_COMPLETED")
		if list, err := store.Notifications(t.Context(), s.DB, "anna"); err != nil || len(list.Rows) != 1 {
			t.Errorf("what is written: %+v, %v", list, err)
		}

		// Beyond the bound it is not told; the lease runs out, and the job runs again.
		before := len(tp.events())
		awayForOne.Store(true)
		id = b.enqueue(Request{UserID: "anna", Type: "job"})
		b.ended(id)
		var got []string
		for _, h := range tp.events()[before:] {
			got = append(got, h.typ)
		}
		want(t, "events", strings.Join(got, " "), "JOB_QUEUED JOB_STARTED JOB_STARTED NOTIFICATION_NEW JOB_COMPLETED")
	})
}

// A commit whose answer gets lost is found to have happened, and all is told once.
func TestAnswerGetsLost(t *testing.T) {
	dsn := storetest.DSN(t, store.SQLite)
	first := storetest.Open(t, dsn)
	th := addThings(t, first, "anna", "")
	var lose atomic.Bool
	db := sql.OpenDB(lossy{"file:" + dsn + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)", &lose})
	t.Cleanup(func() { db.Close() })
	s := &store.Store{DB: db, Dialect: store.SQLite}
	tp := &tape{}
	b := newBench(t, s, tp, func(c *Config) {
		k := kinds[SubmitOrder]
		done := k.done
		k.done = func(ctx context.Context, tx *sql.Tx, to usercast.Broadcaster, j *record, result any) error {
			lose.Store(true)
			return done(ctx, tx, to, j, result)
		}
		c.kinds = map[string]kind{SubmitOrder: k}
	}).start()
	id := b.enqueue(Request{UserID: "anna", Type: SubmitOrder, EntityID: th.pending})
	b.ended(id)
	b.stop()
	want(t, "events", tp.types("anna"), "PENDING_UPDATED JOB_QUEUED JOB_STARTED PENDING_SUBMITTED ORDER_NUMBERS_RESOLVED NOTIFICATION_NEW JOB_COMPLETED")
	if list, err := store.Notifications(t.Context(), first.DB, "anna"); err != nil || len(list.Rows) != 1 {
		t.Errorf("what is written: %+v, %v", list, err)
	}
	want(t, "the commit that lost its answer", lose.Load(), false)
}

// lossy is SQLite behind a connection that loses the answer to one commit.
type lossy struct {
	dsn  string
	lose *atomic.Bool
}

func (l lossy) Driver() sqldriver.Driver { return &sqlite.Driver{} }

func (l lossy) Connect(context.Context) (sqldriver.Conn, error) {
	conn, err := (&sqlite.Driver{}).Open(l.dsn)
	if err != nil {
		return nil, err
	}
	return lossyConn{conn, l.lose}, nil
}

type lossyConn struct {
	sqldriver.Conn
	lose *atomic.Bool
}

func (c lossyConn) BeginTx(ctx context.Context, opts sqldriver.TxOptions) (sqldriver.Tx, error) {
	tx, err := c.Conn.(sqldriver.ConnBeginTx).BeginTx(ctx, opts)
	return lossyTx{tx, c.lose}, err
}

func (c lossyConn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	return c.Conn.(sqldriver.ExecerContext).ExecContext(ctx, query, args)
}

func (c lossyConn) QueryContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Rows, error) {
	return c.Conn.(sqldriver.QueryerContext).QueryContext(ctx, query, args)
}

type lossyTx struct {
	sqldriver.Tx
	lose *atomic.Bool
}

func (tx lossyTx) Commit() error {
	err := tx.Tx.Commit()
	if err == nil && tx.lose.CompareAndSwap(true, false) {
		return errors.New("read: connection reset by peer")
	}
	return err
}

// A job may be over before the request that queued it is, because its client is slow to
// take the response. What devices hear of it is in order.
func TestJobBeforeItsResponse(t *testing.T) {
	s := storetest.Open(t, storetest.DSN(t, store.SQLite))
	storetest.User(t, s, "anna")
	tp := &tape{}
	b := newBench(t, s, tp, func(c *Config) {
		c.kinds = fakes(func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }, "job")
	}).start()
	request := emit.Middleware(tp)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var id string
		err := emit.Tx(r.Context(), s.DB, tp, nil, func(tx *sql.Tx, out *emit.Outbox) (err error) {
			id, err = b.Enqueue(r.Context(), tx, out, Request{UserID: "anna", Type: "job"})
			return err
		})
		if err != nil {
			t.Error(err)
		}
		b.ended(id)
	}))
	request.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil))
	want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED JOB_COMPLETED")
}
