package usercast

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

func TestTimestampText(t *testing.T) {
	for _, c := range []struct {
		ts   Timestamp
		want string
	}{
		{0, "1970-01-01T00:00:00.000000Z"},
		{1, "1970-01-01T00:00:00.000001Z"},
		{999_999, "1970-01-01T00:00:00.999999Z"},
		{951782400_000000, "2000-02-29T00:00:00.000000Z"},
		{1795380832_123456, "2026-11-22T20:53:52.123456Z"},
		{latestWall, "2255-06-05T23:47:34.740991Z"},
		{maxTimestamp, "9999-12-31T23:59:59.999999Z"},
	} {
		b, err := c.ts.MarshalText()
		if err != nil || string(b) != c.want || c.ts.String() != c.want {
			t.Errorf("%d: MarshalText %q, %v, String %q, want %q", c.ts, b, err, c.ts, c.want)
		}
		back, err := ParseTimestamp(c.want)
		if err != nil || back != c.ts {
			t.Errorf("ParseTimestamp(%q) = %d, %v, want %d", c.want, back, err, c.ts)
		}
	}
	for _, bad := range []Timestamp{-1, maxTimestamp + 1, math.MinInt64, math.MaxInt64} {
		if b, err := bad.MarshalText(); err == nil {
			t.Errorf("%d: MarshalText %q, want an error", bad, b)
		}
	}
}

func TestParseTimestamp(t *testing.T) {
	for in, want := range map[string]Timestamp{
		"1970-01-01T00:00:01Z":           1_000_000,
		"1970-01-01T00:00:00.5Z":         500_000,
		"1970-01-01T00:00:00.123Z":       123_000, // what JavaScript writes
		"1970-01-01T00:00:00.1234569Z":   123_456, // cut, not rounded
		"1970-01-01T02:00:00.000001Z":    7200_000_001,
		"1970-01-01T02:00:00+02:00":      0,
		"9999-12-31T23:59:59.999999999Z": maxTimestamp,
	} {
		if got, err := ParseTimestamp(in); err != nil || got != want {
			t.Errorf("ParseTimestamp(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, bad := range []string{"", "0", "-1", "NaN", "1e400", "9007199254740993", "1969-12-31T23:59:59.999999Z",
		"10000-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", strings.Repeat("1", 1<<20)} {
		if got, err := ParseTimestamp(bad); err == nil {
			t.Errorf("ParseTimestamp(%.40q) = %v, want an error", bad, got)
		} else if len(err.Error()) > 200 {
			t.Errorf("the error for %.40q has %d bytes", bad, len(err.Error()))
		}
	}
}

// FuzzCursor reads what any client may say of where it stopped.
func FuzzCursor(f *testing.F) {
	for _, s := range []string{"", "-1", "NaN", "2026-11-22T20:53:52.123456Z", "2026-11-22T20:53:52.123+01:00", "9999-12-31T23:59:59.9999999Z"} {
		f.Add(s, "epoch")
	}
	var l log
	l.init("epoch", 100, 100, 4)
	for i := range 9 {
		d := draft{class: Buffered, frame: []byte{byte(i)}}
		l.append(&d, l.stamp(Timestamp(1795380832_000000+i)), int64(i), true)
	}
	f.Fuzz(func(t *testing.T, s, epoch string) {
		c := parseClaim(s, epoch)
		if ts, err := ParseTimestamp(s); err == nil {
			if back, err := ParseTimestamp(ts.String()); err != nil || back != ts || ts < 0 || ts > maxTimestamp {
				t.Errorf("%q is %d, which reads back as %d, %v", s, ts, back, err)
			}
		}
		verdict, reason, tail := l.judge(c, reader{})
		switch {
		case tail.cursor > l.last || tail.cursor < l.floor:
			t.Errorf("%q: starts at %d, outside %d to %d", s, tail.cursor, l.floor, l.last)
		case verdict == Resumed && (c.ts < l.floor || c.ts > l.last || c.epoch != "" && c.epoch != l.epoch):
			t.Errorf("%q of epoch %q was believed", s, epoch)
		case (verdict == Gap) != (reason != ""):
			t.Errorf("%q: verdict %s with reason %q", s, verdict, reason)
		}
	})
}

func TestFrameSizes(t *testing.T) {
	// The header's length changes at 126 and 65,536 bytes of JSON.
	for _, n := range []int{0, 10, 50, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 200, 65_460, 65_461, 65_462, 65_463, 65_464, 65_465, 65_466, 65_467, 65_468, 65_469, 65_470, 70_000} {
		e := Event{Type: "T", Payload: strings.Repeat("x", n), Key: `k"é`}
		d, err := newDraft(&e, Latest, scopeAll, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		d.stamp(5)
		var f frameIn
		header := len(d.frame) - strings.Index(string(d.frame), `{"type"`)
		if err := json.Unmarshal(d.frame[len(d.frame)-header:], &f); err != nil {
			t.Fatalf("%d: %v in %.100q", n, err, d.frame)
		}
		if f.Type != "T" || f.Timestamp != 5 || f.Class != "latest" || f.Key != `k"é` || f.Scope != "all" {
			t.Errorf("%d: %+v", n, f)
		}
		if want := frameHeaderFor(header); string(d.frame[:len(d.frame)-header]) != want {
			t.Errorf("%d: header % x for %d bytes, want % x", n, d.frame[:len(d.frame)-header], header, want)
		}
	}
}

// frameHeaderFor spells RFC 6455 §5.2 out once more.
func frameHeaderFor(n int) string {
	switch {
	case n <= 125:
		return string([]byte{0x81, byte(n)})
	case n <= 65535:
		return string([]byte{0x81, 126, byte(n >> 8), byte(n)})
	}
	return string([]byte{0x81, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

func TestPayloads(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		payload any
		want    string
	}{
		{nil, "null"},
		{json.RawMessage(nil), "null"},
		{json.RawMessage(` {"a" : 1} `), ` {"a" : 1} `},
		{"<b>&", `"<b>&"`},
		{[]byte("hi"), `"aGk="`},
		{now, `"2026-01-02T03:04:05Z"`},
		{struct {
			A int `json:"a,omitempty"`
			B *string
		}{}, `{"B":null}`},
		{"\u2028 \x00 \U0001F600", `"\u2028 \u0000 😀"`},
	} {
		d, err := newDraft(&Event{Type: "T", Payload: c.payload}, Buffered, "", 1<<16)
		if want := `"payload":` + c.want + `,"timestamp"`; err != nil || !strings.Contains(string(d.frame), want) {
			t.Errorf("%v: %v, %s, want %s", c.payload, err, d.frame, want)
		}
	}
}

func BenchmarkFrame(b *testing.B) {
	e := Event{Type: "PENDING_UPDATED", Payload: json.RawMessage(`{"orderIds":["a1","a2"],"count":2}`)}
	b.ReportAllocs()
	for b.Loop() {
		d, err := newDraft(&e, Buffered, "", 1<<16)
		if err != nil {
			b.Fatal(err)
		}
		d.stamp(1795380832_123456)
	}
}
