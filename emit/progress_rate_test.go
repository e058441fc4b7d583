package emit

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestProgressETA(t *testing.T) {
	const s = time.Second
	for name, test := range map[string]struct {
		run       func(p *Progress)
		want, off time.Duration
	}{
		"even":              {func(p *Progress) { even(p, 100, s) }, 900 * s, 0},
		"even, ten at once": {func(p *Progress) { bursts(p, 10, 10, 10*s) }, 900 * s, 3 * s},
		"even, fast":        {func(p *Progress) { even(p, 100, 10*time.Millisecond) }, 9 * s, 0},
		"even, very slow":   {func(p *Progress) { even(p, 10, time.Minute) }, 990 * time.Minute, 0},
		"slow, ten at once": {func(p *Progress) { bursts(p, 10, 10, 10*time.Minute) }, 900 * time.Minute, 5 * s},
		"slow, ten nearly at once": {func(p *Progress) {
			for range 10 {
				time.Sleep(10*time.Minute - 9*time.Microsecond)
				p.Add(1)
				bursts(p, 9, 1, time.Microsecond)
			}
		}, 900 * time.Minute, 5 * s},
		"no second yet":      {func(p *Progress) { even(p, 99, 10*time.Millisecond) }, 0, 0},
		"nothing yet":        {func(p *Progress) { time.Sleep(time.Hour) }, 0, 0},
		"beyond a week":      {func(p *Progress) { even(p, 1, 24*time.Hour) }, 0, 0},
		"within a week":      {func(p *Progress) { even(p, 1, 10*time.Minute) }, 999 * 10 * time.Minute, 0},
		"nearly done":        {func(p *Progress) { even(p, 999, s/10) }, s, 0},
		"more than all":      {func(p *Progress) { even(p, 1001, s/10) }, 0, 0},
		"then twice as fast": {func(p *Progress) { even(p, 100, s); even(p, 100, s/2) }, 400 * s, 30 * s},
		"then half as fast":  {func(p *Progress) { even(p, 100, s/2); even(p, 100, s) }, 800 * s, 30 * s},
		"a slow one is soon forgotten": {func(p *Progress) {
			even(p, 100, s)
			even(p, 1, 10*s)
			even(p, 100, s)
		}, 799 * s, 20 * s},
		"a stall is seen": {func(p *Progress) { even(p, 100, s); time.Sleep(time.Minute) }, 5000 * s, 3000 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var to tape
				p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{EveryRecords: -1, EveryPercent: -1})
				p.SetTotal(1000)
				test.run(p)
				p.SetLabel("now")
				p.Stop()
				all := to.all()
				var last syncPayload
				json.Unmarshal([]byte(all[len(all)-1].json), &last)
				if got := time.Duration(last.EtaMs) * time.Millisecond; got < test.want-test.off || got > test.want+test.off || got%time.Second != 0 {
					t.Errorf("got %v, want %v, ±%v", got, test.want, test.off)
				}
			})
		})
	}
}

// even counts n records, each of which takes so long.
func even(p *Progress, n int, each time.Duration) { bursts(p, n, 1, each) }

// bursts counts n times as many records at once, every so often.
func bursts(p *Progress, n, size int, every time.Duration) {
	for range n {
		time.Sleep(every)
		for range size {
			p.Add(1)
		}
	}
}

func TestProgressWithoutTotalHasNoETA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to tape
		p := NewProgress(&to, "ann", progressSync, syncOf, ProgressConfig{})
		even(p, 100, time.Second)
		p.Done()
		for _, ev := range to.all() {
			if !strings.Contains(ev.json, `"etaMs":0`) {
				t.Errorf("got %s", ev.json)
			}
		}
	})
}
