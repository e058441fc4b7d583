package emit

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// A rowDB has one row for each user. A row is a version, which every write raises, and is
// locked from a write to the end of its transaction. What was committed is seen at
// once, and the committer hears of it later, as over a network.
type rowDB struct {
	rows map[string]*row
	wait func() // a random time
}

type row struct {
	lock    chan struct{}
	version int // guarded by lock
}

func newRowDB(users []string, wait func()) *rowDB {
	db := &rowDB{rows: make(map[string]*row), wait: wait}
	for _, u := range users {
		db.rows[u] = &row{lock: make(chan struct{}, 1)}
	}
	return db
}

func (db *rowDB) begin(context.Context) (*rowTx, error) { return &rowTx{db: db}, nil }

type rowTx struct {
	db     *rowDB
	locked []*row
	fail   error // of the commit
}

// write raises the version of a user's row, and returns it.
func (tx *rowTx) write(user string) int {
	r := tx.db.rows[user]
	r.lock <- struct{}{}
	tx.locked = append(tx.locked, r)
	tx.db.wait()
	return r.version + 1
}

func (tx *rowTx) Commit(context.Context) error {
	tx.db.wait()
	for _, r := range tx.locked {
		if tx.fail == nil {
			r.version++
		}
		<-r.lock
	}
	tx.locked = nil
	tx.db.wait()
	return tx.fail
}

func (tx *rowTx) Rollback(context.Context) error {
	for _, r := range tx.locked {
		<-r.lock
	}
	tx.locked = nil
	return nil
}

// slowWriter is a client that is slow to take its response.
type slowWriter struct {
	*httptest.ResponseRecorder
	wait func()
}

func (w slowWriter) FlushError() error { w.wait(); w.Flush(); return nil }

// Requests, jobs and transactions of all kinds, all at once, on the rows of a few
// users: what each user hears are the versions of the row, one after the other, and
// every one whose commit reported success.
func TestEventsLeaveInTheOrderOfCommits(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { orderOfCommits(t, uint64(seed)) })
		})
		if !ok {
			return
		}
	}
}

func orderOfCommits(t *testing.T, seed uint64) {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 1))
	chance := func(n int) int { mu.Lock(); defer mu.Unlock(); return rnd.IntN(n) }
	pause := func(most time.Duration) func() {
		return func() { time.Sleep(time.Duration(chance(int(most)))) }
	}
	users := []string{"alice", "bob", "carol"}
	db := newRowDB(users, pause(20*time.Millisecond))
	target := &screen{t: t, slow: pause(2 * time.Millisecond), shown: make(map[string][]int)}
	want := make(map[string][]int) // guarded by mu
	before := Counters()

	// change writes rows of some users, and tells of them in the same transaction.
	change := func(ctx context.Context, to usercast.Broadcaster) {
		some := users[chance(3):]
		some = some[:1+chance(len(some))]
		outcome := chance(10)
		now := make(map[string]int)
		err := TxWith(ctx, db.begin, to, nil, func(tx *rowTx, out *Outbox) error {
			clear(now)
			for _, u := range some {
				now[u] = tx.write(u)
			}
			if len(some) > 1 && chance(2) == 0 {
				if err := out.BroadcastMany(context.Background(), some, event("MANY", now)); err != nil {
					t.Error(err)
				}
			} else {
				for _, u := range some {
					if err := out.Broadcast(u, event("ONE", now)); err != nil {
						t.Error(err)
					}
				}
			}
			switch outcome {
			case 0:
				return errOops
			case 1:
				tx.fail = errOops
			case 2:
				panic(errOops)
			}
			return nil
		})
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for u, v := range now {
			want[u] = append(want[u], v)
		}
	}
	recovered := func(f func()) {
		defer func() {
			if p := recover(); p != nil && p != errOops && p != http.ErrAbortHandler {
				panic(p)
			}
		}()
		f()
	}
	request := func() {
		w := slowWriter{httptest.NewRecorder(), pause(5 * time.Second)}
		Middleware(target)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var wg sync.WaitGroup
			for range 1 + chance(3) {
				wg.Go(func() { recovered(func() { change(r.Context(), target) }) })
				if chance(2) == 0 {
					wg.Wait()
				}
			}
			wg.Wait()
			pause(20 * time.Millisecond)()
			switch chance(6) {
			case 0:
				http.Error(w, "no", http.StatusInternalServerError)
			case 1:
				panic(http.ErrAbortHandler)
			}
		})).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 10 {
				switch chance(4) {
				case 0:
					recovered(func() { change(context.Background(), target) })
				case 1: // a worker that has read the row tells of it
					u := users[chance(3)]
					r := db.rows[u]
					r.lock <- struct{}{}
					seen := r.version
					<-r.lock
					if err := InOrder(target).Broadcast(u, event("SEEN", map[string]int{u: seen})); err != nil {
						t.Error(err)
					}
				default:
					recovered(request)
				}
			}
		})
	}
	wg.Wait()
	for _, u := range users {
		slices.Sort(want[u])
		if got := target.shown[u]; !slices.Equal(got, want[u]) {
			t.Errorf("%s heard of versions %v, want %v", u, got, want[u])
		}
	}
	if n := since(before).Overtaken; n != 0 {
		t.Errorf("%d events were not waited for", n)
	}
	if n := len(inLine.of); n != 0 {
		t.Errorf("%d lines are left", n)
	}
}

// A screen is what the devices of each user show: the newest version that they heard of.
type screen struct {
	t     *testing.T
	slow  func()
	mu    sync.Mutex
	shown map[string][]int
}

func (s *screen) Broadcast(user string, ev usercast.Event) error {
	return s.BroadcastMany(context.Background(), []string{user}, ev)
}

func (s *screen) BroadcastMany(_ context.Context, users []string, ev usercast.Event) error {
	s.slow()
	frozen, err := ev.Freeze()
	if err != nil {
		return err
	}
	now := make(map[string]int)
	if err := json.Unmarshal(frozen.Payload.(json.RawMessage), &now); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range users {
		shown, newest := s.shown[u], 0
		if len(shown) > 0 {
			newest = shown[len(shown)-1]
		}
		switch {
		case ev.Type == "SEEN" && now[u] > newest:
			s.t.Errorf("%s hears of version %d as one that was read, and not yet as one that was written", u, now[u])
		case ev.Type == "SEEN":
		case now[u] <= newest:
			s.t.Errorf("%s hears of version %d after %d", u, now[u], newest)
		default:
			s.shown[u] = append(shown, now[u])
		}
	}
	return nil
}
