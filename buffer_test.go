package usercast

import (
	"slices"
	"testing"
)

// FuzzRing drives the ring beside a slice that does the same the obvious way.
func FuzzRing(f *testing.F) {
	f.Add(uint8(3), []byte{0, 0, 0, 0, 1, 2, 200, 0, 1, 1, 1, 1})
	f.Add(uint8(200), []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0})
	f.Fuzz(func(t *testing.T, limit uint8, ops []byte) {
		r := ring{limit: int(limit)%50 + 1}
		var naive []Timestamp
		ts := Timestamp(0)
		for _, op := range ops {
			switch {
			case op%4 == 0 && len(naive) > 0:
				if got := r.pop().ts; got != naive[0] {
					t.Fatalf("pop %d, want %d", got, naive[0])
				}
				naive = naive[1:]
			case op%4 > 0:
				if r.full() {
					r.pop()
					naive = naive[1:]
				}
				ts += Timestamp(op)
				r.push(entry{ts: ts})
				naive = append(naive, ts)
			}
			if r.len() != len(naive) || len(r.slots) > r.limit {
				t.Fatalf("%d entries in %d places, want %d of at most %d", r.len(), len(r.slots), len(naive), r.limit)
			}
			for _, after := range []Timestamp{0, ts / 2, ts - 1, ts, ts + 1} {
				want := slices.IndexFunc(naive, func(v Timestamp) bool { return v > after })
				if want < 0 {
					want = len(naive)
				}
				if got := r.after(after); got != want {
					t.Fatalf("after(%d) = %d, want %d of %v", after, got, want, naive)
				}
			}
			for i, want := range naive {
				if got := r.at(i).ts; got != want {
					t.Fatalf("at(%d) = %d, want %d", i, got, want)
				}
			}
		}
		if len(naive) == 0 && r.slots != nil {
			t.Error("an empty ring holds memory")
		}
	})
}

func TestRingLetsGoOfFrames(t *testing.T) {
	r := ring{limit: 4}
	for i := range 4 {
		r.push(entry{ts: Timestamp(i + 1), frame: make([]byte, 10)})
	}
	r.pop()
	for i, e := range r.slots[:1] {
		if e.frame != nil {
			t.Errorf("slot %d keeps the frame of a removed entry", i)
		}
	}
}

func BenchmarkRing(b *testing.B) {
	r := ring{limit: 200}
	b.ReportAllocs()
	for b.Loop() {
		if r.full() {
			r.pop()
		}
		r.push(entry{ts: 1})
	}
}
