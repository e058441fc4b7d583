package usercast

import (
	"math/rand/v2"
	"testing"
)

// TestLogReset builds a mirror of a log as an engine would: from its marks and its
// retained records. Both must answer alike from then on.
func TestLogReset(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var origin, mirror log
		origin.init("e1", 10, 10, 5)
		mirror.init("mine", 3, 3, 5)
		add := func(l *log, d draft, ts Timestamp) { l.append(&d, ts, int64(ts), true) }
		for range rng.IntN(12) {
			add(&origin, draft{class: Buffered, frame: []byte{1}}, origin.stamp(0))
		}
		var records []record
		for i := range origin.ring.len() {
			e := origin.ring.at(i)
			records = append(records, record{draft{class: Buffered, frame: e.frame}, e.ts, e.at})
		}
		mirror.reset("e1", origin.last, origin.floor, records)
		for range rng.IntN(4) {
			d := draft{class: Buffered, frame: []byte{2}}
			ts := origin.stamp(0)
			add(&origin, d, ts)
			add(&mirror, d, ts) // stamped elsewhere, appended here
		}
		for ts := Timestamp(0); ts < origin.last+3; ts++ {
			c := claim{given: true, valid: true, ts: ts, epoch: "e1"}
			v1, _, t1 := origin.judge(c, reader{})
			v2, _, t2 := mirror.judge(c, reader{})
			var b1, b2 batch
			origin.collect(&t1, &b1, reader{})
			mirror.collect(&t2, &b2, reader{})
			if v1 != v2 || t1.cursor != t2.cursor || len(b1.frames) != len(b2.frames) {
				t.Fatalf("claim %d: %s, %d frames; the mirror says %s, %d frames", ts, v1, len(b1.frames), v2, len(b2.frames))
			}
		}
	}
}

func TestLogAccountsForEverything(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var l log
	l.init("e", 0, 0, 7)
	for at := range int64(5000) {
		switch rng.IntN(6) {
		case 0:
			l.expire(at - rng.Int64N(100))
		case 1:
			l.giveUp()
		case 2:
			l.trimRecent(l.last - Timestamp(rng.IntN(5)))
		default:
			d := draft{class: Class(1 + rng.IntN(3)), frame: make([]byte, rng.IntN(100))}
			if d.class != Transient {
				d.key = string(rune('a' + rng.IntN(5)))
			}
			l.append(&d, l.stamp(0), at, rng.IntN(2) == 0)
		}
		var want usage
		count := func(e *entry) { want.events++; want.bytes += e.size() }
		for i := range l.ring.len() {
			count(l.ring.at(i))
		}
		for i := range l.recent.len() {
			count(l.recent.at(i))
		}
		for i := range l.slots {
			count(&l.slots[i].entry)
		}
		if l.used != want {
			t.Fatalf("after %d steps the log counts %+v and holds %+v", at, l.used, want)
		}
	}
}
