package usercast

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestHostileCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.broadcast("alice", ev("A", 1))
		known := s.hub.Cursor("alice")
		for name, c := range map[string]struct {
			cursor  string
			verdict Verdict
			reason  GapReason
		}{
			"none":           {"", Fresh, ""},
			"the hub's own":  {known.LastEventTs.String(), Resumed, ""},
			"-1":             {"-1", Gap, GapUnknownCursor},
			"NaN":            {"NaN", Gap, GapUnknownCursor},
			"1e400":          {"1e400", Gap, GapUnknownCursor},
			"2^53+1":         {"9007199254740993", Gap, GapUnknownCursor},
			"float":          {"1.5", Gap, GapUnknownCursor},
			"a microsecond":  {(known.LastEventTs + 1).String(), Gap, GapUnknownCursor},
			"year 9999":      {"9999-12-31T23:59:59.999999Z", Gap, GapUnknownCursor},
			"year 10000":     {"10000-01-01T00:00:00Z", Gap, GapUnknownCursor},
			"before 1970":    {"1969-12-31T23:59:59Z", Gap, GapUnknownCursor},
			"before start":   {"1999-12-31T23:59:59Z", Gap, GapRestarted},
			"February 30":    {"2026-02-30T00:00:00Z", Gap, GapUnknownCursor},
			"NUL":            {"%00", Gap, GapUnknownCursor},
			"not UTF-8":      {"%ff%fe", Gap, GapUnknownCursor},
			"quotes":         {"%22,%22verdict%22:%22resumed", Gap, GapUnknownCursor},
			"16 KiB":         {strings.Repeat("9", 16<<10), Gap, GapUnknownCursor},
			"many fractions": {"2026-01-01T00:00:00." + strings.Repeat("0", 5000) + "Z", Gap, GapUnknownCursor},
		} {
			for _, epoch := range []string{"", "&epoch=" + known.Epoch} {
				d := s.dial("user=alice&lastEventTs=" + c.cursor + epoch)
				if d.hello.Verdict != c.verdict || d.hello.Reason != c.reason {
					t.Errorf("%s, %q: got %s %s, want %s %s", name, epoch, d.hello.Verdict, d.hello.Reason, c.verdict, c.reason)
				}
				d.c.Close()
			}
			// As everyone's cursor it is judged alike, but for the hub's own: that is
			// later than everyone's last, which nobody wrote to.
			if name != "none" && name != "the hub's own" {
				d := s.dial(resume("alice", known.Epoch, known.LastEventTs) + "&lastGlobalTs=" + c.cursor)
				if d.hello.Verdict != Gap || d.hello.Reason != c.reason {
					t.Errorf("%s, as lastGlobalTs: got %s %s, want gap %s", name, d.hello.Verdict, d.hello.Reason, c.reason)
				}
				d.c.Close()
			}
		}
		for name, query := range map[string]string{
			"another epoch":     "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=0123456789abcdef",
			"a long epoch":      "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=" + strings.Repeat("e", 16<<10),
			"an epoch of bytes": "user=alice&lastEventTs=" + known.LastEventTs.String() + "&epoch=%ff%00",
		} {
			d := s.dial(query)
			if d.hello.Verdict != Gap || d.hello.Reason != GapRestarted {
				t.Errorf("%s: got %s %s, want gap restarted", name, d.hello.Verdict, d.hello.Reason)
			}
			d.c.Close()
		}
		if got := s.hub.Stats().Panics; got != 0 {
			t.Errorf("Stats.Panics: got %d, want 0", got)
		}
	})
}

// A megabyte is answered before anything parses it.
func TestHostileCursorOfAMegabyte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		for _, param := range []string{"lastEventTs", "lastGlobalTs", "epoch", "nobody-asked"} {
			d := s.sendRequest(request("user=alice&" + param + "=" + strings.Repeat("9", 1e6)))
			if got, want := d.refusal(), (said{400, 1008, "query of over 32768 bytes"}); got != want {
				t.Errorf("%s: got %+v, want %+v", param, got, want)
			}
		}
	})
}

// Whoever knows another user's cursor learns nothing of what that user got.
func TestCursorOfAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		s.broadcast("alice", ev("ALICE", 1))
		time.Sleep(time.Second)
		cursor := s.hub.Cursor("bob")
		s.broadcast("bob", ev("BOB", "private"))
		for name, c := range map[string]struct {
			query   string
			verdict Verdict
		}{
			"bob's beginning": {resume("alice", cursor.Epoch, cursor.LastEventTs), Resumed},
			"bob's end":       {resume("alice", cursor.Epoch, s.hub.Cursor("bob").LastEventTs), Gap}, // alice has nothing as new
			"user twice":      {"user=alice&user=bob&lastEventTs=" + cursor.LastEventTs.String(), Resumed},
		} {
			d := s.dial(c.query)
			if d.hello.Verdict != c.verdict {
				t.Errorf("%s: got %s, want %s", name, d.hello.Verdict, c.verdict)
			}
			var types []string
			for _, f := range d.until("hub.live") {
				types = append(types, f.Type)
			}
			if got := strings.Join(types, " "); !strings.Contains(got, "ALICE") || strings.Contains(got, "BOB") {
				t.Errorf("%s: got %s, want ALICE and never BOB", name, got)
			}
			d.c.Close()
		}
	})
}
