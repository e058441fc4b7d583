package emit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
)

// syncPayload is a payload as applications have it, and the snapshot it is made of.
type syncPayload struct {
	SyncType  string `json:"syncType"`
	Processed int    `json:"processed"`
	Total     int    `json:"total"`
	Percent   int    `json:"percent"`
	Label     string `json:"label"`
	EtaMs     int64  `json:"etaMs"`
}

var (
	progressSync = usercast.DefineKeyed("TEST_SYNC_PROGRESS", usercast.Latest, func(p syncPayload) string { return "sync:" + p.SyncType })
	progressHint = usercast.Define[syncPayload]("TEST_SYNC_HINT", usercast.Transient)
)

func syncOf(s Snapshot) syncPayload {
	return syncPayload{"customers", s.Processed, s.Total, s.Percent, s.Label, s.ETA.Milliseconds()}
}

// told returns "processed/total percent label" of what was sent.
func (tp *tape) told(t *testing.T) (list []string) {
	t.Helper()
	for _, ev := range tp.all() {
		var p syncPayload
		if err := json.Unmarshal([]byte(ev.json), &p); err != nil || ev.Type != "TEST_SYNC_PROGRESS" || ev.Key != "sync:customers" || ev.user != "ann" {
			t.Fatalf("got %+v, %v", ev, err)
		}
		list = append(list, strings.TrimSpace(fmt.Sprintf("%d/%d %d%% %s", p.Processed, p.Total, p.Percent, p.Label)))
	}
	return list
}

func wantTold(t *testing.T, to *tape, want ...string) {
	t.Helper()
	if got := to.told(t); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestProgressIsToldEveryTenRecordsOrTenPercent(t *testing.T) {
	for name, test := range map[string]struct {
		cfg   ProgressConfig
		total int
		want  []string
	}{
		"records come first": {ProgressConfig{}, 1000, []string{"0/1000 0%", "10/1000 1%", "20/1000 2%", "30/1000 3%", "40/1000 4%"}},
		"percent come first": {ProgressConfig{}, 40, []string{"0/40 0%", "4/40 10%", "8/40 20%", "12/40 30%", "16/40 40%", "20/40 50%",
			"24/40 60%", "28/40 70%", "32/40 80%", "36/40 90%"}}, // 40/40 would be 99, as it is not done
		"unknown total": {ProgressConfig{}, 0, []string{"1/0 0%", "11/0 0%", "21/0 0%", "31/0 0%"}},
		"percent only":  {ProgressConfig{EveryRecords: -1, EveryPercent: 50}, 40, []string{"0/40 0%", "20/40 50%"}},
		"records only":  {ProgressConfig{EveryRecords: 16, EveryPercent: -1}, 40, []string{"0/40 0%", "16/40 40%", "32/40 80%"}},
		"neither":       {ProgressConfig{EveryRecords: -1, EveryPercent: -1}, 40, []string{"0/40 0%"}},
		"each":          {ProgressConfig{EveryRecords: 1}, 3, []string{"0/3 0%", "1/3 33%", "2/3 66%", "3/3 99%"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var to tape
				p := NewProgress(&to, "ann", progressSync, syncOf, test.cfg)
				if test.total > 0 {
					p.SetTotal(test.total)
				}
				n := 40
				if test.total == 3 {
					n = 3
				}
				for range n {
					time.Sleep(time.Second)
					p.Add(1)
				}
				wantTold(t, &to, test.want...)
				p.Done()
				total := max(test.total, n) // an unknown one is now known
				if test.total > n {
					total = test.total
				}
				wantTold(t, &to, append(test.want, fmt.Sprintf("%d/%d 100%%", n, total))...)
				if p.Err() != nil || p.Unsent() != 0 {
					t.Errorf("got %v and %d unsent", p.Err(), p.Unsent())
				}
			})
		})
	}
}

func TestProgressIsHeldBackAndNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		began := time.Now()
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{PerSecond: 4})
		p.SetTotal(1000)
		for range 100 { // at once: one goes, one waits
			p.Add(1)
		}
		wantTold(t, &to, "0/1000 0%")
		time.Sleep(249 * time.Millisecond)
		p.Add(1)
		wantTold(t, &to, "0/1000 0%")
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantTold(t, &to, "0/1000 0%", "101/1000 10%") // the newest, by itself
		time.Sleep(time.Hour)                         // nothing is due
		p.SetLabel("names")                           // is, and at once
		p.SetLabel("addresses")                       // is, and waits
		time.Sleep(100 * time.Millisecond)
		p.Done() // does not wait
		p.Done()
		p.Stop()
		p.Add(500)
		p.SetLabel("late")
		p.Report(1, 2, "later")
		time.Sleep(time.Hour)
		wantTold(t, &to, "0/1000 0%", "101/1000 10%", "101/1000 10% names", "101/1000 100% addresses")
		if at := to.all()[1].at.Sub(began); at != 250*time.Millisecond {
			t.Errorf("the second came after %v, want 250ms", at)
		}
	})
}

// What waits goes out even if nobody counts on, and Done is forgotten: and then
// nothing is left, or the bubble would not end.
func TestProgressLeftAloneTellsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		p.Report(1, 100, "a")
		p.Report(50, 100, "b")
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		wantTold(t, &to, "1/100 1% a", "50/100 50% b")
	})
}

// Whoever counts pays next to nothing while a value waits: one timer is for all.
func TestProgressAllocatesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		p.Report(1, 1_000_000, "first")
		p.Report(2, 1_000_000, "waits")
		if n := testing.AllocsPerRun(1000, func() { p.Add(1) }); n != 0 {
			t.Errorf("Add: got %v allocations, want none", n)
		}
		timer := p.timer
		p.Done()
		if timer == nil || timer.Stop() {
			t.Error("a timer was left behind by Done")
		}
	})
}

func TestProgressStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{}).Stop()
		wantTold(t, &to) // nothing was begun
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		p.Report(1, 100, "a")
		p.Stop()
		p.Add(50)
		p.Done()
		wantTold(t, &to, "1/100 1% a") // nothing new
		p = NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		p.Report(2, 100, "a")
		p.Add(1)
		p.Stop()
		wantTold(t, &to, "1/100 1% a", "2/100 2% a", "3/100 3% a")
	})
}

func TestProgressNeverFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{EveryRecords: 1, PerSecond: 1000})
		step := func(fn func()) { time.Sleep(time.Second); fn(); synctest.Wait() }
		step(func() { p.Report(50, 100, "") })
		step(func() { p.Report(40, 1000, "total grew") }) // 50 stays, and so do 50 %
		step(func() { p.Add(-7) })
		step(func() { p.Add(0) })
		step(func() { p.Set(49) })
		step(func() { p.Set(51) })
		step(func() { p.SetTotal(-1) })
		step(func() { p.SetLabel("unknown") })
		step(func() { p.Report(60, 50, "more than there are") })
		step(func() { p.Add(math.MaxInt) })
		step(func() { p.Report(0, math.MaxInt, "all") })
		step(p.Done)
		wantTold(t, &to, "50/100 50%", "50/1000 50% total grew", "51/1000 50% total grew", "51/0 50% unknown",
			"60/50 99% more than there are", fmt.Sprint(math.MaxInt, "/50 99% more than there are"),
			fmt.Sprint(math.MaxInt, "/", math.MaxInt, " 99% all"), fmt.Sprint(math.MaxInt, "/", math.MaxInt, " 100% all"))
	})
}

func TestProgressLabelsFit(t *testing.T) {
	for label, want := range map[string]string{
		"ok":                           "ok",
		"a\xffb":                       "a?b",
		strings.Repeat("é", 200):       strings.Repeat("é", 128),
		"x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 127),
		strings.Repeat("\x80", 300):    "?",
		strings.Repeat("日", 200):       strings.Repeat("日", 85),
	} {
		got := shorten(label, maxLabelBytes)
		if got != want || len(got) > maxLabelBytes {
			t.Errorf("%.20q: got %d bytes %.20q, want %d", label, len(got), got, len(want))
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var to tape
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		p.SetLabel(strings.Repeat("é", 200) + "\xff")
		time.Sleep(time.Second)
		p.SetLabel(strings.Repeat("é", 200)) // the same, as far as it goes
		p.Stop()
		wantTold(t, &to, "0/0 0% "+strings.Repeat("é", 128))
	})
}

func TestProgressRefuses(t *testing.T) {
	to := new(tape)
	cfg := func(perSecond int, l *logBook) ProgressConfig {
		return ProgressConfig{PerSecond: perSecond, Logger: l.logger()}
	}
	for name, test := range map[string]struct {
		make  func(l *logBook) *Progress
		words string
	}{
		"no event": {func(l *logBook) *Progress {
			return NewProgress(to, "ann", usercast.EventType[syncPayload]{}, syncOf, cfg(0, l))
		}, "event: missing; usercast.Define"},
		"not latest": {func(l *logBook) *Progress { return NewProgress(to, "ann", progressHint, syncOf, cfg(0, l)) }, "TEST_SYNC_HINT is transient, want a latest"},
		"no payload": {func(l *logBook) *Progress { return NewProgress(to, "ann", progressSync, nil, cfg(0, l)) }, "payload: missing"},
		"nowhere":    {func(l *logBook) *Progress { return NewProgress(nil, "ann", progressSync, syncOf, cfg(0, l)) }, "to: missing"},
		"negative":   {func(l *logBook) *Progress { return NewProgress(to, "ann", progressSync, syncOf, cfg(-1, l)) }, "PerSecond: -1, want 1 to 1000"},
		"too often":  {func(l *logBook) *Progress { return NewProgress(to, "ann", progressSync, syncOf, cfg(1001, l)) }, "PerSecond: 1001"},
	} {
		t.Run(name, func(t *testing.T) {
			var log logBook
			p := test.make(&log)
			if p.Err() != nil {
				t.Errorf("before anything: got %v", p.Err())
			}
			p.Report(1, 2, "")
			p.Done()
			wantErr(t, p.Err(), usercast.ErrInvalidConfig, test.words)
			if len(to.all()) != 0 || p.Unsent() != 2 || strings.Count(log.String(), "\n") != 1 {
				t.Errorf("got %d events, %d unsent and in the log %q", len(to.all()), p.Unsent(), log.String())
			}
		})
	}
}

// What cannot be sent is counted and logged, and does not keep the work from being done.
func TestProgressContainsWhatGoesWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBook
		wrong := errors.New("refused")
		var do func() error
		to := tape{refuse: func(string, usercast.Event) error { return do() }}
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{Logger: log.logger()})
		step := func(n int, fn func() error) {
			do = fn
			time.Sleep(time.Second)
			p.Set(n)
		}
		step(10, func() error { return nil })
		step(20, func() error { return wrong })
		step(30, func() error { return wrong }) // the same again is no news for the log
		step(40, func() error { panic("on purpose") })
		step(50, func() error { return nil })
		if got := strings.Count(log.String(), "\n"); got != 2 || !strings.Contains(log.String(), "TEST_SYNC_PROGRESS") || !strings.Contains(log.String(), "user_id=ann") {
			t.Errorf("got %d lines in the log, want 2:\n%s", got, log.String())
		}
		wantErr(t, p.Err(), usercast.ErrPanic, "on purpose")
		if p.Unsent() != 3 {
			t.Errorf("got %d unsent, want 3", p.Unsent())
		}
		wantTold(t, &to, "10/0 0%", "50/0 0%")

		// The last value goes again if it was the one that was lost, even if it has not changed.
		step(60, func() error { return wrong })
		do = func() error { return nil }
		p.Stop()
		wantTold(t, &to, "10/0 0%", "50/0 0%", "60/0 0%")

		p = NewProgress(&to, "ann", progressSync, func(Snapshot) syncPayload { panic("payload") }, ProgressConfig{Logger: silent})
		p.Add(1)
		wantErr(t, p.Err(), usercast.ErrPanic, "payload", "progress_test.go")
		p = NewProgress(&to, "", progressSync, syncOf, ProgressConfig{Logger: silent})
		do = func() error { return usercast.ErrInvalidUser }
		p.Add(1)
		wantErr(t, p.Err(), usercast.ErrInvalidUser)
	})
}

// A Broadcaster that ends the goroutine does not leave Done waiting.
func TestProgressSurvivesGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := tape{refuse: func(string, usercast.Event) error { runtime.Goexit(); return nil }}
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{Logger: silent})
		go p.Add(1)
		synctest.Wait()
		to.refuse = nil
		p.Done()
		wantErr(t, p.Err(), errGoexit)
		wantTold(t, &to, "1/1 100%")
	})
}

// Whoever counts does not wait for an event that is being sent; Done does.
func TestProgressDoneWaitsForTheEventThatIsBeingSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var under atomic.Int32
		to := tape{refuse: func(string, usercast.Event) error {
			if under.Add(1) > 1 {
				t.Error("two events are being sent at once")
			}
			<-gate
			under.Add(-1)
			return nil
		}}
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		go p.Report(1, 100, "first")
		synctest.Wait()
		for range 50 {
			p.Add(1)
		}
		time.Sleep(time.Second) // and no timer sends beside it
		var ends []string
		var mu sync.Mutex
		note := func(s string) { mu.Lock(); ends = append(ends, s); mu.Unlock() }
		go func() { p.Done(); note("done") }()
		synctest.Wait()
		go func() { p.Stop(); note("stop") }()
		synctest.Wait()
		if len(ends) != 0 || len(to.all()) != 0 {
			t.Errorf("got %v and %d events while the first was being sent", ends, len(to.all()))
		}
		gate <- struct{}{}
		synctest.Wait()
		if mu.Lock(); len(ends) != 0 {
			t.Errorf("%v before the last value was sent", ends)
		}
		mu.Unlock()
		gate <- struct{}{}
		synctest.Wait()
		wantTold(t, &to, "1/100 1% first", "51/100 100% first")
		if mu.Lock(); len(ends) != 2 {
			t.Errorf("got %v, want both to have returned", ends)
		}
		mu.Unlock()
	})
}

// A payload that counts does not deadlock.
func TestProgressFromItsOwnPayload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		var p *Progress
		p = NewProgress(&to, "ann", progressSync, func(s Snapshot) syncPayload {
			if s.Processed < 100 {
				p.Add(10)
			}
			return syncOf(s)
		}, ProgressConfig{})
		p.Add(10)
		time.Sleep(time.Minute)
		p.Stop()
		if got := to.told(t); len(got) != 10 || got[9] != "100/0 0%" {
			t.Errorf("got %q", got)
		}
	})
}

func TestProgressFromManyGoroutines(t *testing.T) {
	var to tape
	p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{PerSecond: 1000})
	const workers, each = 8, 500
	p.SetTotal(workers * each)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				p.Add(1)
				if i%100 == 0 {
					p.SetLabel(fmt.Sprint("worker ", w))
				}
			}
		})
	}
	wg.Wait()
	p.Done()
	last := syncPayload{Percent: -1}
	for _, ev := range to.all() {
		var s syncPayload
		json.Unmarshal([]byte(ev.json), &s)
		if s.Processed < last.Processed || s.Percent < last.Percent || last.Percent == 100 {
			t.Errorf("%+v came after %+v", s, last)
		}
		last = s
	}
	if last.Processed != workers*each || last.Percent != 100 {
		t.Errorf("got %+v last", last)
	}
}

// The newest value is what a device finds that connects later, until a buffered event with the same
// key ends it: so says the hub, and Progress fits it.
func TestProgressInAHub(t *testing.T) {
	hub := newTestHub(t, usercast.Config{})
	p := NewProgress(hub, "ann", progressSync, syncOf, ProgressConfig{})
	p.Add(1)
	p.Done()
	if p.Err() != nil || hub.Stats().Broadcasts[usercast.Latest] != 2 {
		t.Errorf("got %v and %v", p.Err(), hub.Stats().Broadcasts)
	}
	if err := hub.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	p = NewProgress(hub, "ann", progressSync, syncOf, ProgressConfig{Logger: silent})
	p.Done()
	wantErr(t, p.Err(), usercast.ErrClosed)
}
