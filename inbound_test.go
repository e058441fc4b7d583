package usercast

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// inbox collects what OnMessage gets.
type inbox struct {
	mu       sync.Mutex
	messages [][]byte
}

func (b *inbox) take(_ ConnInfo, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, p)
}

func (b *inbox) all() (s []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.messages {
		s = append(s, string(m))
	}
	return s
}

// TestInboundMessages: the hub answers the text "ping" and gives the application
// the rest, text and binary, each message its own copy.
func TestInboundMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var box inbox
		r := newRig(t, Config{OnMessage: box.take}, 1<<16, false)
		d := r.dial("user=alice")
		h := hear(d)
		d.text("ping")
		d.text("first")
		d.write(2, []byte("second"))
		d.write(2, []byte("ping")) // binary is not the text
		d.text("ping ")
		d.text("")
		d.text(`{"type":"hub.hello"}`)
		d.writeRaw(append(clientFrame(0x01, []byte("in ")), clientFrame(0x89, []byte("p"))...))
		d.writeRaw(append(clientFrame(0x00, []byte("three ")), clientFrame(0x80, []byte("parts"))...))
		d.writeRaw(append(clientFrame(0x01, []byte("pi")), clientFrame(0x80, []byte("ng"))...))
		synctest.Wait()
		want := []string{"first", "second", "ping", "ping ", "", `{"type":"hub.hello"}`, "in three parts"}
		if got := box.all(); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if got := len(h.of("pong")); got != 2 {
			t.Errorf("got %d pongs, want 2", got)
		}
		for _, m := range box.messages {
			for i := range m {
				m[i] = '#' // nobody else's memory
			}
		}
		d.text("after")
		synctest.Wait()
		if got := box.all(); got[len(got)-1] != "after" || got[0] != "#####" {
			t.Errorf("got %q, want the copies changed and then after", got)
		}
		if got := r.hub.Stats().IgnoredMessages; got != 0 {
			t.Errorf("IgnoredMessages %d, want 0", got)
		}
	})
}

func TestInboundIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{}, 1<<12, false)
		d := r.dial("user=alice")
		h := hear(d)
		d.text("ping")
		d.text("what")
		d.write(2, []byte("ever"))
		d.text(`{"type":"hub.auth","payload":{"token":"x"}}`) // userAuth cannot renew
		d.text("ping")
		synctest.Wait()
		if got := r.hub.Stats().IgnoredMessages; got != 3 {
			t.Errorf("IgnoredMessages %d, want 3", got)
		}
		if got := len(h.of("pong")); got != 2 || h.over() {
			t.Errorf("got %d pongs, closed %v; want 2 and open", got, h.over())
		}
	})
}

// hugeFrame declares a length and sends so many bytes of it.
func hugeFrame(first byte, declared uint64, sent int) []byte {
	b := binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, declared)
	return append(b, make([]byte, 4+sent)...)
}

// TestInboundLimits: what ends a connection, with which code, and what does not.
func TestInboundLimits(t *testing.T) {
	fragments := func(sizes ...int) (b []byte) {
		for i, n := range sizes {
			first := byte(0x00)
			if i == 0 {
				first = 0x01
			}
			if i == len(sizes)-1 {
				first |= 0x80
			}
			b = append(b, clientFrame(first, make([]byte, n))...)
		}
		return b
	}
	const open = 0
	for _, c := range []struct {
		name string
		sent []byte
		code int // open: none; 1006: cut without a word
		got  int // bytes of the message that reached OnMessage; -1: none did
	}{
		{"4096", clientFrame(0x81, make([]byte, 4096)), open, 4096},
		{"4096 binary", clientFrame(0x82, make([]byte, 4096)), open, 4096},
		{"4097", clientFrame(0x81, make([]byte, 4097)), CloseTooBig, -1},
		{"60000", clientFrame(0x82, make([]byte, 60_000)), CloseTooBig, -1},
		{"fragments of 4096", fragments(4000, 0, 95, 1), open, 4096},
		{"fragments of 4097", fragments(4000, 0, 96, 1), CloseTooBig, -1},
		{"4096 and an empty last fragment", fragments(4096, 0), open, 4096},
		{"declared 2^63-1, nothing sent", hugeFrame(0x81, math.MaxInt64, 0), open, -1},
		{"declared 2^63-1, 5000 sent", hugeFrame(0x81, math.MaxInt64, 5000), CloseTooBig, -1},
		{"declared 2^63", hugeFrame(0x81, 1<<63, 0), 1006, -1},
		{"unmasked", []byte{0x81, 1, 'x'}, 1006, -1},
		{"reserved bits", clientFrame(0xf1, nil), 1002, -1},
		{"compressed, which was not agreed", clientFrame(0xc1, nil), 1002, -1},
		{"unknown opcode", clientFrame(0x83, nil), 1002, -1},
		{"unknown control opcode", clientFrame(0x8b, nil), 1002, -1},
		{"continuation of nothing", clientFrame(0x80, nil), 1002, -1},
		{"text within fragments", append(clientFrame(0x01, nil), clientFrame(0x81, nil)...), 1002, -1},
		{"fragmented ping", clientFrame(0x09, nil), 1002, -1},
		{"ping of 126 bytes", clientFrame(0x89, make([]byte, 126)), 1002, -1},
		{"close of one byte", clientFrame(0x88, []byte{3}), 1002, -1},
		{"close with 1005", clientFrame(0x88, []byte{0x03, 0xed}), 1002, -1},
		{"close with 1006", clientFrame(0x88, []byte{0x03, 0xee}), 1002, -1},
		{"close with 999", clientFrame(0x88, []byte{0x03, 0xe7}), 1002, -1},
		{"close with 4999", clientFrame(0x88, []byte{0x13, 0x87}), 4999, -1},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var box inbox
				r := newRig(t, Config{OnMessage: box.take}, 1<<17, false)
				d := r.dial("user=alice")
				h := hear(d)
				d.writeRaw(c.sent)
				time.Sleep(3 * time.Second)
				if h.over() != (c.code != open) {
					t.Fatalf("closed %v (%v), want %v", h.over(), h.err, c.code != open)
				}
				if c.code != open {
					if code, reason := h.end(); code != c.code {
						t.Errorf("got close %d %q, want %d", code, reason, c.code)
					}
					if got := r.hub.Connections("alice"); got != 0 {
						t.Errorf("%d connections left, want 0", got)
					}
				}
				got := box.all()
				if (len(got) == 0) != (c.got < 0) || len(got) > 0 && len(got[0]) != c.got {
					t.Errorf("OnMessage got %d messages, want one of %d bytes (-1: none)", len(got), c.got)
				}
			})
		})
	}
}

// TestInboundTruncated: a message whose end never came is no message, wherever the
// line is cut, by an end of the stream or by a reset.
func TestInboundTruncated(t *testing.T) {
	streams := map[string][]byte{
		"one frame":  clientFrame(0x81, []byte("delete all")),
		"long":       clientFrame(0x82, make([]byte, 300)),
		"fragments":  bytes.Join([][]byte{clientFrame(0x01, []byte("delete ")), clientFrame(0x00, []byte("all ")), clientFrame(0x80, []byte("but one"))}, nil),
		"with ping":  bytes.Join([][]byte{clientFrame(0x01, []byte("delete ")), clientFrame(0x89, nil), clientFrame(0x80, []byte("nothing"))}, nil),
		"text: ping": bytes.Join([][]byte{clientFrame(0x01, []byte("ping")), clientFrame(0x80, []byte("pong"))}, nil),
	}
	for name, stream := range streams {
		for how, cut := range map[string]func(*fakeSocket){
			"end of stream": func(c *fakeSocket) { c.CloseWrite() },
			"reset":         func(c *fakeSocket) { c.reset() },
		} {
			t.Run(strings.ReplaceAll(name+" "+how, " ", "-"), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var box inbox
					r := newRig(t, Config{OnMessage: box.take, MaxConnsPerUser: 1000}, 1<<12, false)
					for n := range stream {
						d := r.dial("user=alice")
						h := hear(d)
						d.writeRaw(stream[:n])
						synctest.Wait()
						cut(d.c.(*fakeSocket))
						<-h.ended
						synctest.Wait()
						if got := box.all(); len(got) != 0 {
							t.Errorf("cut after %d of %d bytes: OnMessage got %q", n, len(stream), got)
							box.messages = nil
						}
						if got := len(h.of("pong")); got != 0 {
							t.Errorf("cut after %d of %d bytes: half a message was answered", n, len(stream))
						}
					}
					if got := r.hub.Stats().Connections; got != 0 {
						t.Errorf("%d connections left, want 0", got)
					}
				})
			})
		}
	}
}

// TestInboundHalfAFrame and then silence: pinged, and cut as dead.
func TestInboundHalfAFrame(t *testing.T) {
	for name, half := range map[string][]byte{
		"first byte":    {0x81},
		"header":        {0x81, 0x85},
		"half the mask": {0x81, 0x85, 0, 0},
		"payload":       {0x81, 0x85, 0, 0, 0, 0, 'a', 'b'},
		"a fragment":    clientFrame(0x01, []byte("x")),
		"half a ping":   {0x89, 0x82, 0, 0, 0, 0, 'a'},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var box inbox
				r := newRig(t, Config{OnMessage: box.take}, 1<<12, false)
				d := r.dial("user=alice")
				d.mute = true // within a frame it cannot answer
				start := time.Now()
				h := hear(d)
				d.writeRaw(half)
				h.end()
				want := 40 * time.Second
				if name == "half a ping" {
					want = 5 * time.Second // coder/websocket gives a control frame so long
				}
				if took := h.endAt.Sub(start); took < want || took > want+time.Second {
					t.Errorf("cut after %v, want %v", took, want)
				}
				if got := box.all(); len(got) != 0 {
					t.Errorf("OnMessage got %q", got)
				}
			})
		})
	}
}

// TestInboundNothingAfterTheEnd: once the hub has ended a connection, what the
// client still says is not the application's.
func TestInboundNothingAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var box inbox
		r := newRig(t, Config{OnMessage: box.take}, 1<<12, false)
		d := r.dial("user=alice")
		synctest.Wait()
		d.text("before")
		synctest.Wait()
		r.hub.Disconnect("alice", "")
		d.text("after")
		hear(d).end()
		synctest.Wait()
		if got := box.all(); fmt.Sprint(got) != "[before]" {
			t.Errorf("OnMessage got %q, want [before]", got)
		}
	})
}

func TestAuthToken(t *testing.T) {
	for _, c := range []struct {
		in    string
		token string
		ok    bool
	}{
		{`{"type":"hub.auth","payload":{"token":"t"}}`, "t", true},
		{`{"payload":{"token":"t","more":1},"type":"hub.auth"}`, "t", true},
		{`{"type":"hub.auth"}`, "", true},
		{`{"type":"hub.auth","payload":{}}`, "", true},
		{`{"type":"hub.auth","payload":{"token":1}}`, "", false},
		{`{"type":"hub.auth","payload":"t"}`, "", false},
		{`{"type":"HUB.AUTH","payload":{"token":"t"}}`, "", false},
		{`{"type":"hub.auth","payload":{"token":"t"}} x`, "", false},
		{`{"type":"ORDER"}`, "", false},
		{`["hub.auth"]`, "", false},
		{`{`, "", false},
		{"", "", false},
	} {
		if token, ok := authToken([]byte(c.in)); token != c.token || ok != c.ok {
			t.Errorf("%s: got %q, %v; want %q, %v", c.in, token, ok, c.token, c.ok)
		}
	}
}

// TestInboundRenewals: each may ask a database, so they are few.
func TestInboundRenewals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Auth: tokenBook{"t": {UserID: "alice"}}}, 1<<12, false)
		d := r.dial("user=alice")
		h := hear(d)
		auth := func() { d.text(`{"type":"hub.auth","payload":{"token":"t"}}`) }
		for range renewalsBurst {
			auth()
		}
		for range 10 {
			time.Sleep(time.Second)
			auth()
		}
		synctest.Wait()
		if h.over() {
			t.Fatalf("closed by %v, want open at one renewal a second", h.err)
		}
		time.Sleep(time.Second)
		auth()
		auth()
		if code, reason := h.end(); code != ClosePolicy || !strings.Contains(reason, "hub.auth") {
			t.Errorf("got close %d %q, want %d for hub.auth", code, reason, ClosePolicy)
		}
		if got := r.hub.Stats().Floods; got != 1 {
			t.Errorf("Floods %d, want 1", got)
		}
	})
}

// FuzzClientFrame: whatever a client sends after the handshake, the process lives,
// and the connection either ends or goes on to deliver events in whole frames. If
// the client then falls silent, the connection ends in any case.
func FuzzClientFrame(f *testing.F) {
	for _, stream := range meterStreams() {
		if len(stream) < 1<<10 { // long ones take the fuzzer minutes to shorten
			f.Add(stream)
		}
	}
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(clientFrame(0x81, []byte(`{"type":"hub.auth","payload":{"token":"\ud800"}}`)))
	f.Add(clientFrame(0x88, []byte{3, 0xe8, 0xff}))
	f.Add(append(clientFrame(0x01, []byte("ping")), clientFrame(0x80, nil)...))
	f.Add(bytes.Repeat(clientFrame(0x81, []byte("ping")), 300))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) > 1<<17 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var cb callbacks
			r := newRig(t, cb.into(Config{PingInterval: 2 * time.Second, PongTimeout: time.Second, OnMessage: func(_ ConnInfo, p []byte) {
				if len(p) > readLimit {
					t.Errorf("OnMessage got %d bytes, want at most %d", len(p), readLimit)
				}
			}}), 1<<18, false)
			d := r.dial("user=alice")
			var frames []wireFrame
			var err error
			done := make(chan struct{})
			go func() { frames, err = everyFrame(d.r); close(done) }()
			go d.writeRaw(sent)
			synctest.Wait()
			alive := r.hub.Connections("alice") == 1 && soleConn(t, r.hub, "alice").ending.Load() == nil && !soleConn(t, r.hub, "alice").wire.saidClose()
			r.broadcast("alice", ev("STILL_HERE", nil))
			time.Sleep(15 * time.Second)
			if got := r.hub.Connections("alice"); got != 0 {
				t.Errorf("%d connections after 15s without an answer, want 0", got)
			}
			<-done
			if err != nil {
				t.Errorf("the device got a broken frame: %v", err)
			}
			heard := false
			for i, fr := range frames {
				heard = heard || bytes.Contains(fr.p, []byte("STILL_HERE"))
				if fr.op == 8 && i != len(frames)-1 {
					t.Errorf("frame %d of %d is a close frame", i+1, len(frames))
				}
			}
			if heard != alive {
				t.Errorf("alive %v, but event delivered %v", alive, heard)
			}
			d.c.Close()
			if calls, _ := cb.of(d.hello.ConnectionID); fmt.Sprint(calls) != "[connect disconnect]" {
				t.Errorf("got calls %v, want [connect disconnect]", calls)
			}
		})
	})
}
