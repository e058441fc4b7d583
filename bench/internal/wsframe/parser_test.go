package wsframe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// serverFrame builds what a server sends: not masked, with the shortest length.
func serverFrame(opcode byte, payload string) []byte {
	head := []byte{0x80 | opcode}
	switch n := len(payload); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	return append(head, payload...)
}

func collect(t *testing.T, chunks ...[]byte) (frames []string) {
	t.Helper()
	var p Parser
	for _, chunk := range chunks {
		err := p.Feed(chunk, func(opcode byte, payload []byte) {
			frames = append(frames, fmt.Sprintf("%x:%s", opcode, payload))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return frames
}

func TestParserFindsFramesHoweverTheStreamIsCut(t *testing.T) {
	long, huge := string(bytes.Repeat([]byte("l"), 300)), string(bytes.Repeat([]byte("h"), 70_000))
	short := slices.Concat(serverFrame(Text, "one"), serverFrame(Text, ""), serverFrame(Text, long), serverFrame(Ping, "p"))
	whole := slices.Concat(short, serverFrame(Text, huge), serverFrame(Close, "\x03\xe8"))
	wantShort := []string{"1:one", "1:", "1:" + long, "9:p"}
	wantWhole := append(slices.Clone(wantShort), "1:"+huge, "8:\x03\xe8")

	for _, size := range []int{1, 2, 3, 7, len(short)} {
		if got := collect(t, slices.Collect(slices.Chunk(short, size))...); !slices.Equal(got, wantShort) {
			t.Errorf("cut every %d bytes: got %q, want %q", size, got, wantShort)
		}
	}
	for _, size := range []int{1000, 4096, len(whole)} {
		if got := collect(t, slices.Collect(slices.Chunk(whole, size))...); !slices.Equal(got, wantWhole) {
			t.Errorf("cut every %d bytes: got %d frames, want %d, or they differ", size, len(got), len(wantWhole))
		}
	}
}

func TestParserRefusesWhatServersMustNotSend(t *testing.T) {
	tooLong := binary.BigEndian.AppendUint64([]byte{0x81, 127}, 1<<40)
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"masked":       {Append(nil, Text, []byte("x")), ErrMasked},
		"fragment":     {[]byte{Text, 1, 'x'}, ErrFragmented},
		"continuation": {[]byte{0x80, 1, 'x'}, ErrFragmented},
		"too long":     {tooLong, ErrTooLong},
	} {
		var p Parser
		if err := p.Feed(c.stream, func(byte, []byte) {}); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestIdleParserHoldsNothing(t *testing.T) {
	var p Parser
	frame := serverFrame(Text, "hello")
	for _, chunk := range [][]byte{frame[:3], frame[3:]} {
		if err := p.Feed(chunk, func(byte, []byte) {}); err != nil {
			t.Fatal(err)
		}
	}
	if p.rest != nil {
		t.Errorf("got %d bytes kept after the last frame, want none", cap(p.rest))
	}
}

func TestAppendMasksWithZero(t *testing.T) {
	for _, n := range []int{0, 125, 126, 4000} {
		payload := bytes.Repeat([]byte("a"), n)
		frame := Append(nil, Text, payload)
		if frame[1]&0x80 == 0 {
			t.Errorf("%d bytes: the mask bit is not set", n)
		}
		if !bytes.HasSuffix(frame, append([]byte{0, 0, 0, 0}, payload...)) {
			t.Errorf("%d bytes: want a zero key and the payload as it is", n)
		}
	}
}
