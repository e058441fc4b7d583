package usercast

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// countFramesNaively walks a whole stream the way RFC 6455 §5.2 draws it. A frame
// counts when its header is there, its payload may be still to come.
func countFramesNaively(stream []byte) (frames int) {
	for len(stream) >= 2 {
		head, length := 2, uint64(stream[1]&0x7f)
		switch length {
		case 126:
			if head = 4; len(stream) >= head {
				length = uint64(binary.BigEndian.Uint16(stream[2:]))
			}
		case 127:
			if head = 10; len(stream) >= head {
				length = binary.BigEndian.Uint64(stream[2:])
			}
		}
		if len(stream) < head {
			return frames
		}
		frames++
		masked := stream[1]&0x80 != 0
		stream = stream[head:]
		if masked {
			stream = stream[min(4, len(stream)):]
		}
		if length > uint64(len(stream)) {
			return frames
		}
		stream = stream[length:]
	}
	return frames
}

// countInPieces feeds the stream in pieces whose lengths come from cuts, over and over.
func countInPieces(stream, cuts []byte) (frames int) {
	var m meter
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(cuts) > 0 {
			n = min(n, int(cuts[i%len(cuts)]))
		}
		if n == 0 {
			frames += m.count(nil) // a Read may return nothing
			n = 1
		}
		frames += m.count(stream[:n])
		stream = stream[n:]
	}
	return frames
}

// meterStreams are streams of every kind of header, whole and broken off.
func meterStreams() map[string][]byte {
	huge := func(n uint64, mask byte) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{0x82, mask | 127}, n), "rest"...)
	}
	join := func(p ...[]byte) []byte { return bytes.Join(p, nil) }
	return map[string][]byte{
		"empty":            nil,
		"one byte":         {0x81},
		"ping":             clientFrame(0x89, nil),
		"pings":            bytes.Repeat(clientFrame(0x89, nil), 50),
		"empty fragments":  bytes.Repeat(clientFrame(0x00, nil), 50),
		"125 and 126":      join(clientFrame(0x81, make([]byte, 125)), clientFrame(0x81, make([]byte, 126)), clientFrame(0x89, nil)),
		"65535 and 65536":  join(clientFrame(0x82, make([]byte, 65535)), clientFrame(0x82, make([]byte, 65536)), clientFrame(0x89, nil)),
		"unmasked":         {0x81, 3, 'a', 'b', 'c', 0x89, 0},
		"length not least": {0x81, 0x80 | 126, 0, 1, 0, 0, 0, 0, 'a', 0x89, 0x80, 0, 0, 0, 0},
		"mask broken off":  {0x81, 0x85, 1, 2},
		"16 broken off":    {0x81, 126, 1},
		"64 broken off":    {0x81, 127, 0, 0, 0, 0, 0, 0, 1},
		"2^63-1":           huge(math.MaxInt64, 0x80),
		"2^64-1":           huge(math.MaxUint64, 0x80),
		"2^64-4 overflows": huge(math.MaxUint64-3, 0x80),
		"2^64-1 unmasked":  huge(math.MaxUint64, 0),
	}
}

func TestMeterCountsFramesInAnyPieces(t *testing.T) {
	for name, stream := range meterStreams() {
		want := countFramesNaively(stream)
		for _, cuts := range [][]byte{nil, {1}, {2}, {3, 1}, {0, 7}, {255}} {
			if got := countInPieces(stream, cuts); got != want {
				t.Errorf("%s in pieces of %v: got %d frames, want %d", name, cuts, got, want)
			}
		}
	}
}

func TestMeterCountsRandomStreams(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var stream []byte
		frames := 1 + rng.IntN(8)
		for range frames {
			size := []int{0, 1, 125, 126, 1000, 70_000}[rng.IntN(6)]
			stream = append(stream, clientFrame(byte(rng.IntN(256)), make([]byte, size))...)
		}
		cuts := []byte{byte(rng.IntN(256)), byte(rng.IntN(10)), byte(1 + rng.IntN(255))}
		if got := countInPieces(stream, cuts); got != frames {
			t.Fatalf("pieces of %v: got %d frames, want %d", cuts, got, frames)
		}
	}
}

func FuzzMeter(f *testing.F) {
	for _, stream := range meterStreams() {
		if len(stream) < 1<<10 { // long ones take the fuzzer minutes to shorten
			f.Add(stream, []byte{1})
			f.Add(stream, []byte{3, 0, 200})
		}
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		if got, want := countInPieces(stream, cuts), countFramesNaively(stream); got != want {
			t.Errorf("% x in pieces of %v: got %d frames, want %d", stream, cuts, got, want)
		}
	})
}

// TestMeterBudget spends the bursts exactly and lets them refill.
func TestMeterBudget(t *testing.T) {
	ping := clientFrame(0x89, nil)
	spend := func(m *meter, p []byte, now time.Duration) (n int) {
		for ; m.allow(p, int64(now)); n++ {
			if n > 1e6 {
				t.Fatal("the budget has no end")
			}
		}
		return n
	}
	for _, c := range []struct {
		name             string
		piece            []byte
		burst, perSecond int
	}{
		{"frames", ping, framesBurst, framesPerSecond},
		{"bytes of one endless frame", make([]byte, 1<<10), bytesBurst >> 10, bytesPerSecond >> 10},
	} {
		var m meter
		m.start(0)
		if c.name != "frames" {
			m.skip = math.MaxInt64 // within a payload: no headers
		}
		for i, step := range []struct {
			at   time.Duration
			want int
		}{
			{0, c.burst},
			{0, 0},
			{time.Second, c.perSecond},
			{3 * time.Second / 2, c.perSecond / 2},
			{time.Hour, c.burst}, // never more than the burst
		} {
			if got := spend(&m, c.piece, step.at); got != step.want {
				t.Errorf("%s, step %d: got %d at %v, want %d", c.name, i, got, step.at, step.want)
			}
		}
	}
}

func TestBucketKeepsWhatItRefuses(t *testing.T) {
	b := bucket{0, 10}
	if b.take(11, 1, 10, 0) {
		t.Error("got 11 tokens of 10")
	}
	if !b.take(10, 1, 10, 0) {
		t.Error("a refusal took tokens: want 10 left")
	}
	if b.take(2, 1, 10, int64(time.Second)) || !b.take(1, 1, 10, int64(time.Second)) {
		t.Errorf("after a second at 1/s: level %v, want 1 then 0", b.level)
	}
}
