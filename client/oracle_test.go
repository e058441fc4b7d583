package client

// The oracle of the property test. It knows what was sent and what was told, and
// shares no code with the client.

import (
	"fmt"
	"slices"

	"github.com/usercast-go/usercast"
)

// judge says what does not hold.
func (w *world) judge(seen *tally) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	for _, err := range w.errs {
		wrong("OnError: %v", err)
	}
	if st := w.proc.State(); st != (State{Phase: Connected}) {
		wrong("state %+v, want connected and nothing stale", st)
	}
	if got, want := w.proc.Cursor(), w.site.hub.Cursor("alice"); got != want {
		wrong("cursor %+v, the hub's is %+v", got, want)
	}
	if at := w.proc.Cursor(); w.proc.saved != at {
		wrong("saved %+v, the cursor is %+v", w.proc.saved, at)
	}
	w.judgeOrder(wrong)
	w.judgeLoss(seen, wrong)
	w.judgeGaps(seen, wrong)
	w.judgeValues(seen, wrong)
	return problems
}

// judgeOrder: in a process no event is handled twice, and per scope in the order in
// which they were sent. Latest values that come again are no events anew.
func (w *world) judgeOrder(wrong func(string, ...any)) {
	type place struct {
		proc   int
		global bool
	}
	last := map[place]int{}
	for _, e := range w.tape {
		if e.kind != "handled" || e.class == usercast.Latest {
			continue
		}
		p := place{e.proc, e.global}
		if before, ok := last[p]; ok && e.value <= before {
			wrong("process %d handled %d after %d", e.proc, e.value, before)
		}
		last[p] = e.value
	}
}

// judgeLoss: a buffered event that no process has handled is behind where a gap
// that was told later says that the client had got to.
func (w *world) judgeLoss(seen *tally, wrong func(string, ...any)) {
	handled := map[int]bool{}
	for _, e := range w.tape {
		if e.kind == "handled" {
			handled[e.value] = true
			seen.handled++
		}
	}
	for i, e := range w.tape {
		if e.kind != "sent" || e.class != usercast.Buffered || handled[e.value] {
			continue
		}
		seen.missing++
		told := false
		for _, g := range w.tape[i:] {
			told = told || g.kind == "gap" && w.isBehind(e, g.gap.From)
		}
		if !told {
			wrong("%d is lost, and no gap was told for it", e.value)
		}
	}
}

// isBehind says whether an event came after a place. The stamps of different
// hubs are not compared: one that was started anew may stamp lower.
func (w *world) isBehind(e entry, c usercast.Cursor) bool {
	switch epoch := slices.Index(w.epochs, c.Epoch); {
	case epoch < 0:
		return false
	case epoch != e.epoch:
		return e.epoch > epoch
	case e.global:
		return e.ts > c.LastGlobalTs
	}
	return e.ts > c.LastEventTs
}

// judgeGaps: no gap is told without a restart, or a loss in that process, before it;
// and never twice for the same in one process.
func (w *world) judgeGaps(seen *tally, wrong func(string, ...any)) {
	restarts, told := 0, map[string]bool{}
	for i, g := range w.tape {
		switch {
		case g.kind == "restart":
			restarts++
		case g.kind == "gap":
			seen.gap(g.gap.Reason)
			if (restarts == 0 || g.gap.Reason != usercast.GapRestarted) && !w.isMissing(g.gap.From, g.proc, w.tape[:i]) {
				wrong("gap %+v at %d, and nothing is missing", g.gap, i)
			}
			name := fmt.Sprint(g.proc, g.gap.From)
			if told[name] {
				wrong("gap %+v at %d was told before", g.gap, i)
			}
			told[name] = true
		}
	}
}

// isMissing says whether something that was sent so far, and is behind a place, was
// not handled by a process.
func (w *world) isMissing(from usercast.Cursor, proc int, sent []entry) bool {
	handled := map[int]bool{}
	for _, e := range w.tape {
		if e.kind == "handled" && e.proc == proc {
			handled[e.value] = true
		}
	}
	return slices.ContainsFunc(sent, func(e entry) bool {
		return e.kind == "sent" && e.class == usercast.Buffered && !handled[e.value] && w.isBehind(e, from)
	})
}

// judgeValues: Latest is the newest of its key or nothing, and nothing only if it
// was ended, or a gap or a new process came after it.
func (w *world) judgeValues(seen *tally, wrong func(string, ...any)) {
	for k := range 3 {
		key := fmt.Sprint("k", k)
		newest, excused := -1, true
		for _, e := range w.tape {
			switch {
			case e.kind == "sent" && e.key == key && e.class == usercast.Latest:
				newest, excused = e.value, false
			case e.kind == "sent" && e.key == key: // its end
				newest, excused = -1, true
			case e.kind == "restart":
				newest, excused = -1, true
			case e.kind == "gap":
				excused = true
			}
		}
		if w.n > 1 {
			excused = true
		}
		ev, ok := w.proc.Latest("J_PROGRESS", key)
		switch {
		case ok && string(ev.Payload) != fmt.Sprint(newest):
			wrong("Latest of %s is %s, the newest is %d", key, ev.Payload, newest)
		case !ok && newest >= 0 && !excused:
			wrong("Latest of %s is gone, it is %d", key, newest)
		case ok:
			seen.values++
		}
	}
}
