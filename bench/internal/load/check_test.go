package load

import (
	"encoding/json"
	"testing"

	"github.com/usercast-go/usercast/bench/internal/event"
)

func TestOrder(t *testing.T) {
	var o Order
	for i, step := range []struct{ seq, want int64 }{
		{1, 1}, {2, 1}, // as it should be
		{5, 3}, // two lost
		{5, 0}, // repeated
		{4, 0}, // late
		{6, 1},
	} {
		if got := o.See(step.seq); got != step.want {
			t.Errorf("step %d: See(%d) = %d, want %d", i, step.seq, got, step.want)
		}
	}
	if o.Last != 6 {
		t.Errorf("Last = %d, want 6", o.Last)
	}
}

func TestRoundsCompleteWhenEveryDeviceHasArrived(t *testing.T) {
	var r Rounds
	r.Reset(3, 10)
	arrivals := []struct {
		round int64
		done  bool
	}{
		{11, false}, {11, false}, {12, false}, {11, true}, // two devices, the first of them ahead, then the third
		{12, false}, {12, true},
		{12, false}, // over
		{13 + roundSlots, false},
	}
	for i, a := range arrivals {
		if got := r.Arrive(a.round); got != a.done {
			t.Errorf("arrival %d at round %d: got %v, want %v", i, a.round, got, a.done)
		}
	}
	if r.Done != 12 {
		t.Errorf("Done = %d, want 12", r.Done)
	}
}

func TestRoundsReuseTheirSlots(t *testing.T) {
	var r Rounds
	r.Reset(1, 0)
	for round := int64(1); round <= 3*roundSlots; round++ {
		if !r.Arrive(round) {
			t.Fatalf("round %d did not complete", round)
		}
	}
}

func TestNextEventFindsAllInAFrame(t *testing.T) {
	one, err := event.Encode(event.New(7, 111))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(event.New(8, 222))
	if err != nil {
		t.Fatal(err)
	}
	frame := append(append(one, '\n'), `{"push":{"channel":"u","pub":{"data":`+string(payload)+`,"offset":8}}}`...)
	seq, at, rest, found := nextEvent(frame)
	if !found || seq != 7 || at != 111 {
		t.Fatalf("first: got %d, %d, %v", seq, at, found)
	}
	seq, at, rest, found = nextEvent(rest)
	if !found || seq != 8 || at != 222 {
		t.Fatalf("second: got %d, %d, %v", seq, at, found)
	}
	if _, _, _, found = nextEvent(rest); found {
		t.Error("found a third event")
	}
}

func TestNextEventIgnoresWhatIsNone(t *testing.T) {
	for _, text := range []string{``, `{}`, `{"type":"hub.live"}`, `{"seq":12}`, `{"seq":`, `"seq":1,"at"`} {
		if _, _, _, found := nextEvent([]byte(text)); found {
			t.Errorf("found an event in %s", text)
		}
	}
}
