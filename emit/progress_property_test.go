package emit

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// TestProgressProperty counts at random, and asks of what was told only what the
// documentation promises.
func TestProgressProperty(t *testing.T) {
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) { progressSchedule(t, rand.New(rand.NewPCG(seed, 4))) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func progressSchedule(t *testing.T, rng *rand.Rand) {
	pick := func(v ...int) int { return v[rng.IntN(len(v))] }
	cfg := ProgressConfig{EveryRecords: pick(0, -1, 1, 7), EveryPercent: pick(0, -1, 1, 33), PerSecond: pick(0, 1, 3, 50)}
	records, percent, perSecond := cfg.EveryRecords, cfg.EveryPercent, cfg.PerSecond
	if records == 0 {
		records = 10
	}
	if percent == 0 {
		percent = 10
	}
	if perSecond == 0 {
		perSecond = 5
	}
	gap := time.Second / time.Duration(perSecond)
	var to tape
	p := NewProgress(&to, "ann", progressSync, syncOf, cfg)

	// The states that there were, and since when.
	type state struct {
		syncPayload
		at time.Time
	}
	now := syncPayload{SyncType: "customers"}
	states := []state{{now, time.Now()}}
	for range rng.IntN(60) {
		switch rng.IntN(6) {
		case 0, 1:
			n := pick(1, 1, 1, 5, 30, -3)
			p.Add(n)
			now.Processed += max(0, n)
		case 2:
			n := rng.IntN(200)
			p.Set(n)
			now.Processed = max(now.Processed, n)
		case 3:
			now.Total = pick(0, 10, 100, 100, 250)
			p.SetTotal(now.Total)
		case 4:
			now.Label = fmt.Sprint("label ", rng.IntN(3))
			p.SetLabel(now.Label)
		case 5:
			n := rng.IntN(300)
			now.Processed, now.Total, now.Label = max(now.Processed, n), pick(100, 300), fmt.Sprint("label ", rng.IntN(3))
			p.Report(n, now.Total, now.Label)
		}
		if now.Total > 0 {
			now.Percent = max(now.Percent, min(99, 100*now.Processed/now.Total))
		}
		states = append(states, state{now, time.Now()})
		time.Sleep(time.Duration(pick(0, 1, 10, 100, 500, 1500)) * time.Millisecond)
		synctest.Wait()
	}
	begun := len(states) > 1
	done := rng.IntN(2) == 0
	if done {
		p.Done()
		now.Percent = 100
		if now.Total == 0 {
			now.Total = now.Processed
		}
	} else {
		p.Stop()
	}
	ended := time.Now()
	time.Sleep(time.Minute)
	p.Done()

	due := func(s, told syncPayload) bool {
		return s.Label != told.Label || records > 0 && s.Processed-told.Processed >= records || percent > 0 && s.Percent-told.Percent >= percent
	}
	stateAt := func(at time.Time, want syncPayload) bool { // some state of that instant
		in := false
		for i, s := range states {
			if !s.at.After(at) && (i+1 == len(states) || !states[i+1].at.Before(at)) && s.syncPayload == want {
				in = true
			}
		}
		return in
	}
	var told []syncPayload
	all := to.all()
	for i, ev := range all {
		var s syncPayload
		json.Unmarshal([]byte(ev.json), &s)
		eta := s.EtaMs
		s.EtaMs = 0
		told = append(told, s)
		final := i == len(all)-1 && ev.at.Equal(ended)
		switch {
		case final && s == now:
		case !stateAt(ev.at, s):
			t.Errorf("event %d, %+v at %v, was never so", i, s, ev.at)
		case i == 0:
		case ev.at.Sub(all[i-1].at) < gap && !final:
			t.Errorf("event %d came %v after the one before, want at least %v", i, ev.at.Sub(all[i-1].at), gap)
		case !due(s, told[i-1]) && !final:
			t.Errorf("event %d, %+v, was not due after %+v", i, s, told[i-1])
		}
		if i > 0 && (s.Percent < told[i-1].Percent || s.Processed < told[i-1].Processed) {
			t.Errorf("event %d, %+v, falls behind %+v", i, s, told[i-1])
		}
		if s.Percent == 100 && !(done && i == len(all)-1) || eta < 0 || eta > 0 && s.Total <= s.Processed {
			t.Errorf("event %d: got %+v, %d ms to go", i, s, eta)
		}
		if ev.at.After(ended) {
			t.Errorf("event %d came %v after the end", i, ev.at.Sub(ended))
		}
	}
	// Nothing that was due waited longer than the rate demands.
	for _, s := range states[1:] {
		before, after := syncPayload{}, false
		first := true
		for i, ev := range all {
			if ev.at.Before(s.at) || ev.at.Equal(s.at) {
				before, first = told[i], false
			}
			after = after || !ev.at.Before(s.at) && ev.at.Sub(s.at) <= gap
		}
		for _, later := range states { // a label that changes back is no news
			back := !later.at.Before(s.at) && later.at.Sub(s.at) <= gap && !due(later.syncPayload, before)
			after = after || back && !first
		}
		if (first || due(s.syncPayload, before)) && !after {
			t.Errorf("%+v at %v was due, and nothing came within %v", s, s.at, gap)
		}
	}
	if len(told) == 0 {
		if begun || done {
			t.Error("nothing was told")
		}
	} else if last := told[len(told)-1]; last != now {
		t.Errorf("the last is %+v, want %+v", last, now)
	}
}
