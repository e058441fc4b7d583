package usercast

import (
	"bytes"
	"testing"
	"testing/synctest"
)

func TestBatchJoin(t *testing.T) {
	var buf []byte
	one := []byte("one")
	b := &batch{}
	b.add(one)
	if got := b.join(&buf); &got[0] != &one[0] {
		t.Error("one frame was copied, want it as it is")
	}
	b.add([]byte("two"))
	if got := b.join(&buf); string(got) != "onetwo" {
		t.Errorf("got %q, want onetwo", got)
	}
	b.reset()
	b.add([]byte("three"))
	b.add([]byte("four"))
	if got := b.join(&buf); string(got) != "threefour" || b.bytes != len(got) || cap(buf) == 0 {
		t.Errorf("got %q and a count of %d bytes, want threefour, 9 and the buffer kept", got, b.bytes)
	}
	b.add(make([]byte, 3*maxBatchBytes))
	if got := b.join(&buf); len(got) != b.bytes || buf != nil {
		t.Errorf("a giant of %d bytes left a buffer of %d, want none", len(got), cap(buf))
	}
}

// TestFlushGiantEvents: events of several batches each go out whole.
func TestFlushGiantEvents(t *testing.T) {
	eitherPath(t, func(t *testing.T, plain bool) {
		r := newRig(t, Config{MaxEventBytes: 1 << 20}, 30_000, plain)
		d := r.dial("user=alice")
		d.must("hub.live")
		h := hear(d)
		for n := range 5 {
			r.broadcast("alice", newSizedEvent(n, 300_000*(n%2)))
		}
		synctest.Wait()
		got := h.of("SIZED")
		if len(got) != 5 {
			t.Fatalf("got %d events, want 5", len(got))
		}
		for n, f := range got {
			if err := checkSized(f.Payload, n); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestBatchBounds(t *testing.T) {
	b := &batch{}
	for range maxBatchFrames - 1 {
		b.add(nil)
	}
	if b.full() {
		t.Errorf("full with %d frames, want %d", len(b.frames), maxBatchFrames)
	}
	b.add(nil)
	if !b.full() {
		t.Errorf("not full with %d frames", len(b.frames))
	}
	b.reset()
	if len(b.frames) != 0 || b.full() {
		t.Errorf("after reset: %d frames, full %v; want empty", len(b.frames), b.full())
	}
	b.add(bytes.Repeat([]byte("x"), maxBatchBytes))
	if !b.full() {
		t.Errorf("not full with %d bytes", b.bytes)
	}
}
