package jobs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// An attempt that fails is tried again, three in all; what cannot help is not tried.
func TestFailures(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tp := &tape{}
		b := newBench(t, s, tp, func(c *Config) {
			c.Timeout = 300 * time.Millisecond
			c.kinds = map[string]kind{
				"fails":  fake(func(context.Context, *run, *emit.Progress) (any, error) { return nil, errTest }),
				"panics": fake(func(context.Context, *run, *emit.Progress) (any, error) { panic("on purpose") }),
				"refused": fake(func(context.Context, *run, *emit.Progress) (any, error) {
					return nil, fmt.Errorf("x: %w", erp.ErrRefused)
				}),
				"large": fake(func(context.Context, *run, *emit.Progress) (any, error) { return strings.Repeat("x", maxBytes), nil }),
				"hangs": fake(func(ctx context.Context, run *run, _ *emit.Progress) (any, error) {
					return nil, run.call(ctx, func(ctx context.Context, c *erp.Client) error { return c.Screen(ctx, run.session("#hang", 1)) })
				}),
				"endless": fake(func(ctx context.Context, _ *run, _ *emit.Progress) (any, error) { <-ctx.Done(); return nil, ctx.Err() }),
			}
		}).start()
		thrice := "JOB_QUEUED JOB_STARTED JOB_RETRYING JOB_STARTED JOB_RETRYING JOB_STARTED JOB_FAILED"
		once := "JOB_QUEUED JOB_STARTED JOB_FAILED"
		for typ, test := range map[string]struct{ events, row string }{
			"fails":   {thrice, "failed internal error 3"},
			"panics":  {thrice, "failed internal error 3"},
			"refused": {once, "failed internal error 1"},
			"hangs":   {once, "failed timed out 1"},
			"endless": {once, "failed timed out 1"},
			"large":   {"JOB_QUEUED JOB_STARTED JOB_COMPLETED", "completed <nil> 1"},
		} {
			storetest.User(t, s, typ)
			id := b.enqueue(Request{UserID: typ, Type: typ})
			b.ended(id)
			j := b.job(typ, id)
			text := "<nil>"
			if j.Error != nil {
				text = *j.Error
			}
			want(t, typ+": events", tp.types(typ), test.events)
			want(t, typ+": row", fmt.Sprint(j.Status, " ", text, " ", j.Attempt), test.row)
			if j.Result != nil {
				t.Errorf("%s: the row has a result of %d bytes", typ, len(j.Result))
			}
		}
	})
}

// A type that an older program has left in the table fails, and the queue goes on.
func TestUnknownType(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		quickly := func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }
		old := newBench(t, s, &tape{}, func(c *Config) { c.kinds = fakes(quickly, "old", "new") })
		ids := []string{old.enqueue(Request{UserID: "anna", Type: "old"}), old.enqueue(Request{UserID: "anna", Type: "old"}), old.enqueue(Request{UserID: "anna", Type: "new"})}
		tp := &tape{}
		b := newBench(t, s, tp, func(c *Config) { c.kinds = fakes(quickly, "new") })
		if err := b.Cancel(t.Context(), "anna", ids[1]); err != nil {
			t.Error(err)
		}
		b.start().ended(ids[2])
		want(t, "events", tp.types("anna"), "JOB_CANCELLED JOB_STARTED JOB_FAILED JOB_STARTED JOB_COMPLETED")
		_, err := b.Retry(t.Context(), "anna", ids[0], "")
		wantErr(t, "retry", err, ErrInvalid)
	})
}

// One after another for a user, in order; users at once.
func TestOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var g gateway
		tp := &tape{}
		b := newBench(t, s, tp, func(c *Config) { c.kinds, c.pace = fakes(g.work, "job"), noTicks }).start()
		var ids [3][]string
		for u := range ids {
			storetest.User(t, s, fmt.Sprint("u", u))
		}
		for range 5 {
			for u := range ids {
				ids[u] = append(ids[u], b.enqueue(Request{UserID: fmt.Sprint("u", u), Type: "job"}))
			}
		}
		for i := range 5 {
			for u := range ids { // all users run at once, and only one job of each
				b.until("JOB_STARTED", ids[u][i])
			}
			running := 0
			if err := s.DB.QueryRow(`SELECT count(*) FROM jobs WHERE ` + isRunning).Scan(&running); err != nil || running != len(ids) {
				t.Errorf("got %d running, %v; want %d", running, err, len(ids))
			}
			for u := range ids {
				close(g.of(ids[u][i]))
			}
			for u := range ids {
				b.ended(ids[u][i])
			}
		}
		queued := strings.Repeat("JOB_QUEUED ", 5)
		for u := range ids {
			user := fmt.Sprint("u", u)
			got := strings.ReplaceAll(tp.types(user), "JOB_QUEUED ", "")
			want(t, "events", queued+got, queued+strings.TrimSpace(strings.Repeat("JOB_STARTED JOB_COMPLETED ", 5)))
		}
	})
}

// The jobs of many users that hang keep no other user's waiting.
func TestManyHang(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		const hanging = 100
		var g gateway
		b := newBench(t, s, &tape{}, func(c *Config) {
			c.kinds = fakes(g.work, "hangs")
			c.kinds["job"] = fake(func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil })
			c.Timeout = time.Hour
		}).start()
		for u := range hanging {
			user := fmt.Sprint("u", u)
			storetest.User(t, s, user)
			b.enqueue(Request{UserID: user, Type: "hangs"})
		}
		wantSoon(t, "all hang", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.live) == hanging
		})
		storetest.User(t, s, "anna")
		id := b.enqueue(Request{UserID: "anna", Type: "job"})
		b.ended(id)
		want(t, "another user's job", b.job("anna", id).Status, Completed)
	})
}

// Two runners share the work of one database, and do nothing twice.
func TestTwoRunners(t *testing.T) {
	s := storetest.Open(t, storetest.DSN(t, store.PostgreSQL))
	var runs [2]atomic.Int32
	var both sync.Map // who ran which job
	tp := &tape{}
	var benches [2]*bench
	for i := range benches {
		benches[i] = newBench(t, s, tp, func(c *Config) {
			c.Workers = 4
			c.kinds = fakes(func(ctx context.Context, run *run, p *emit.Progress) (any, error) {
				runs[i].Add(1)
				if other, twice := both.LoadOrStore(run.ID, i); twice {
					t.Errorf("job %s was run by %v and %d", run.ID, other, i)
				}
				p.Report(1, 2, "half")
				time.Sleep(20 * time.Millisecond)
				return nil, nil
			}, "job")
		}).start()
	}
	const users, each = 10, 8
	var ids []string
	for u := range users {
		storetest.User(t, s, fmt.Sprint("u", u))
	}
	for n := range users * each {
		ids = append(ids, benches[n%2].enqueue(Request{UserID: fmt.Sprint("u", n%users), Type: "job"}))
	}
	for _, id := range ids {
		benches[0].ended(id)
	}
	a, b := runs[0].Load(), runs[1].Load()
	if a+b != users*each || a < 5 || b < 5 {
		t.Errorf("the runners ran %d and %d jobs, want %d in all and some each", a, b, users*each)
	}
	for u := range users {
		got := strings.ReplaceAll(tp.types(fmt.Sprint("u", u)), "JOB_QUEUED", "")
		want(t, "events", join(got), strings.TrimSpace(strings.Repeat("JOB_STARTED JOB_COMPLETED ", each)))
	}
}

func TestBounds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tp := &tape{}
		b := newBench(t, s, tp, nil)
		th := addThings(t, s, "anna", "")
		for what, test := range map[string]struct {
			req  Request
			want error
			says string
		}{
			"type":    {Request{Type: "nothing"}, ErrInvalid, "Type"},
			"id":      {Request{Type: EditOrder, EntityID: strings.Repeat("x", maxName+1)}, ErrInvalid, "EntityID"},
			"name":    {Request{Type: EditOrder, EntityName: strings.Repeat("x", maxName+1)}, ErrInvalid, "EntityName"},
			"args":    {Request{Type: EditOrder, Args: NoteArgs{strings.Repeat("x", maxBytes)}}, ErrInvalid, "Args"},
			"marshal": {Request{Type: EditOrder, Args: make(chan int)}, ErrInvalid, "Args"},
			"order":   {Request{Type: EditOrder, EntityID: "none"}, store.ErrNotFound, ""},
			"pending": {Request{Type: SubmitOrder, EntityID: "none"}, store.ErrNotFound, ""},
			"record":  {Request{Type: EditHistory, EntityID: "none"}, store.ErrNotFound, ""},
			"who":     {Request{Type: UpdateCustomer, EntityID: "none"}, store.ErrNotFound, ""},
		} {
			test.req.UserID = "anna"
			_, err := b.tryEnqueue(test.req)
			wantErr(t, what, err, test.want)
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: got %v, want one that names %s", what, err, test.says)
			}
		}
		want(t, "events of requests that were refused", tp.types("anna"), "")
		b.enqueue(Request{UserID: "anna", Type: SyncPrices, EntityID: "prices"})
		_, err := b.tryEnqueue(Request{UserID: "anna", Type: SyncPrices, EntityID: "prices"})
		wantErr(t, "a second sync", err, store.ErrBusy)
		for n := range maxActive - 1 {
			storetest.User(t, s, "anna")
			if _, err := store.UpsertSubmitted(t.Context(), s.DB, "anna", orders(n)); err != nil {
				t.Fatal(err)
			}
			b.enqueue(Request{UserID: "anna", Type: EditOrder, EntityID: fmt.Sprint("N", n)})
		}
		_, err = b.tryEnqueue(Request{UserID: "anna", Type: SubmitOrder, EntityID: th.pending})
		wantErr(t, "job 101", err, ErrQueueFull)
		if o, err := store.PendingByID(t.Context(), s.DB, "anna", th.pending); err != nil || o.JobID != nil {
			t.Errorf("the order of a job that was refused: %+v, %v", o, err)
		}
		list, err := b.List(t.Context(), "anna")
		if err != nil || len(list) != maxListed {
			t.Errorf("the list has %d, %v; want %d", len(list), err, maxListed)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	s, c := &store.Store{Dialect: store.SQLite}, erp.NewClient("http://127.0.0.1:1")
	for words, cfg := range map[string]Config{
		"Config.Store":   {Hub: &tape{}, ERP: c},
		"Config.Hub":     {Store: s, ERP: c},
		"Config.ERP":     {Store: s, Hub: &tape{}},
		"Config.Timeout": {Store: s, Hub: &tape{}, ERP: c, Timeout: -1},
		"Config.Workers": {Store: s, Hub: &tape{}, ERP: c, Workers: 1001},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want one about %s", err, words)
		}
	}
}

// Several processes may start at once on an empty database.
func TestMigrateAtOnce(t *testing.T) {
	for _, d := range []store.Dialect{store.SQLite, store.PostgreSQL} {
		dsn := storetest.DSN(t, d)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s, err := store.Open(context.Background(), dsn)
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				for range 2 {
					if err := Migrate(context.Background(), s); err != nil {
						t.Errorf("%s: %v", d, err)
					}
				}
			})
		}
		wg.Wait()
	}
}
