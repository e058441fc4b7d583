package jobs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// The test binary is also a process that runs jobs and prints what its devices hear.
const (
	childDSN   = "ORDERS_JOBS_TEST_DSN"
	childERP   = "ORDERS_JOBS_TEST_ERP"
	childLease = "ORDERS_JOBS_TEST_LEASE"
)

func child(dsn string) int {
	s, err := store.Open(context.Background(), dsn)
	var r *Runner
	var lease time.Duration
	if err == nil {
		lease, err = time.ParseDuration(os.Getenv(childLease))
	}
	if err == nil {
		r, err = New(Config{Store: s, Hub: printer{}, ERP: erp.NewClient(os.Getenv(childERP)), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), pace: pace{lease: lease, tick: 100 * time.Millisecond}})
		if err == nil {
			err = r.Start(context.Background())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // it ends when the other end is closed, or with a kill
	if err := r.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A printer prints events, each with one write, so that none is half there.
type printer struct{}

// Broadcast implements usercast.Broadcaster.
func (printer) Broadcast(user string, ev usercast.Event) error {
	raw, err := json.Marshal(ev.Payload)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(fmt.Appendf(nil, "%s %s %s\n", user, ev.Type, raw))
	return err
}

// A spawned process runs the jobs of a database. What it prints goes onto the tape.
type spawned struct {
	cmd      *exec.Cmd
	stdin    io.Closer
	heardAll chan struct{} // closed when it prints nothing more
	over     bool
}

// spawn starts one. The jobs of one that is killed wait for lease.
func spawn(t *testing.T, dsn, erpURL string, lease time.Duration, tp *tape) *spawned {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDSN+"="+dsn, childERP+"="+erpURL, childLease+"="+lease.String())
	cmd.Stderr = os.Stderr
	if os.Getenv("ORDERS_TEST_LOG") == "" {
		cmd.Stderr = nil
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the process said %q, %v", lines.Text(), lines.Err())
	}
	p := &spawned{cmd: cmd, stdin: stdin, heardAll: make(chan struct{})}
	go func() {
		defer close(p.heardAll)
		for lines.Scan() {
			part := strings.SplitN(lines.Text(), " ", 3)
			tp.Broadcast(part[0], usercast.Event{Type: part[1], Payload: json.RawMessage(part[2])}) //nolint:errcheck // it is JSON
		}
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process in the middle of what it does.
func (p *spawned) kill() {
	if p.over {
		return
	}
	p.over = true
	p.cmd.Process.Kill() // SIGKILL
	<-p.heardAll
	p.cmd.Wait() //nolint:errcheck // it was killed
}

// stop has the process end what it does: every event of what is committed has been heard then.
func (p *spawned) stop(t *testing.T) {
	t.Helper()
	p.over = true
	p.stdin.Close()
	<-p.heardAll
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the process that was asked to stop: %v", err)
	}
}

// Three processes in a row are killed in the middle of jobs; the fourth ends them. Each job
// has one end, and what it did is done once.
func TestKill(t *testing.T) {
	for _, d := range []store.Dialect{store.SQLite, store.PostgreSQL} {
		t.Run(string(d), func(t *testing.T) {
			dsn := storetest.DSN(t, d)
			s, tp := storetest.Open(t, dsn), &tape{}
			url := serveERP(t, erp.Config{MaxRows: 1500, Latency: 30 * time.Millisecond, Failures: 0.03})
			b := newBench(t, s, tp, nil) // it does not run, and only takes requests
			ids := map[string]string{}   // and their users
			for u := range 3 {
				user := fmt.Sprint("u", u)
				th := addThings(t, s, user, "")
				for typ, req := range requests(th, "") {
					if typ == DeleteOrder || typ == EditOrder || typ == DeleteHistory || typ == SyncPrices || typ == SyncProducts {
						continue // its order or record is taken, or there is another like it
					}
					req.UserID, req.Type = user, typ
					ids[b.enqueue(req)] = user
				}
			}
			for range 3 {
				before := len(tp.events())
				p := spawn(t, dsn, url, 4*time.Second, tp)
				wantSoon(t, "something goes on", func() bool {
					return strings.Contains(types(tp.events()[before:]), "JOB_PROGRESS") && len(tp.events()) > before+10
				})
				p.kill()
			}
			p := spawn(t, dsn, url, time.Minute, tp) // loses none, however slow the machine
			wantSoon(t, "all has ended", func() bool {
				var n int
				err := s.DB.QueryRow(`SELECT count(*) FROM jobs WHERE ` + isActive).Scan(&n)
				return err == nil && n == 0
			})
			p.stop(t) // the last event follows its commit
			judgeKill(t, s, tp, ids)
		})
	}
}

func judgeKill(t *testing.T, s *store.Store, tp *tape, ids map[string]string) {
	t.Helper()
	again, untold := 0, 0
	for id, user := range ids {
		j, err := find(context.Background(), s.DB, user, id)
		if err != nil {
			t.Fatal(err)
		}
		if j.Status != Completed {
			t.Errorf("%s %s is %s", j.Type, id, j.Status)
		}
		var of []heard
		lasts := 0
		for _, h := range tp.events() {
			if h.job() == id && strings.HasPrefix(h.typ, "JOB_") && h.typ != "JOB_PROGRESS" {
				of = append(of, h)
				if isLast(h.typ) {
					lasts++
				}
			}
		}
		switch {
		case lasts == 0:
			untold++
		case lasts > 1 || !isLast(of[len(of)-1].typ):
			t.Errorf("%s %s: %s", j.Type, id, types(of))
		}
		if strings.Count(types(of), "JOB_STARTED") > 1 {
			again++
		}
	}
	if again == 0 {
		t.Error("no job ran again: the kills met none")
	}
	// A process that is killed between the commit and its event tells none: that is in the
	// package's promises. Three kills can meet three such moments at most.
	if untold > 3 {
		t.Errorf("%d jobs have ended without a last event", untold)
	}
	t.Logf("%d of %d jobs ran again, %d ends were cut off between commit and event", again, len(ids), untold)
	for u := range 3 {
		user := fmt.Sprint("u", u)
		orders, err := store.Submitted(context.Background(), s.DB, user)
		numbered := 0
		for _, o := range orders {
			if strings.HasPrefix(o.OrderID, "N") && o.OrderNumber != nil {
				numbered++
			}
		}
		if err != nil || numbered != 1 {
			t.Errorf("%s has %d orders of one submission, %v", user, numbered, err)
		}
		if list, err := store.Notifications(context.Background(), s.DB, user); err != nil || len(list.Rows) != 1 {
			t.Errorf("%s has %d notifications, %v; want 1", user, len(list.Rows), err)
		}
		want(t, "synced", syncState(t, s, user, SyncOrders), "1500 of 1500")
		if o, err := store.SubmittedByID(context.Background(), s.DB, user, "S1"); err != nil || o.Status != events.OrderSent || o.JobID != nil {
			t.Errorf("%s's order that was sent: %+v, %v", user, o, err)
		}
	}
}
