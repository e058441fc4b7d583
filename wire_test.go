package usercast

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestWireServesEarlyBytesFirst(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	w := newWire(server, []byte("early"), time.Second, newClock(nil))
	defer w.Close()
	go client.Write([]byte("late"))
	got, err := io.ReadAll(io.LimitReader(w, 9))
	if want := "earlylate"; string(got) != want || err != nil {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if w.early != nil {
		t.Errorf("%d early bytes are still held, want none", len(w.early))
	}
}

// TestWireCountsEarlyBytes: what came with the handshake costs like any other.
func TestWireCountsEarlyBytes(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	w := newWire(server, bytes.Repeat(clientFrame(0x89, nil), framesBurst+1), time.Second, newClock(nil))
	if _, err := io.ReadFull(w, make([]byte, 6*(framesBurst+1))); !errors.Is(err, errFlood) {
		t.Errorf("got %v, want errFlood", err)
	}
}

// shortConn loses the last byte of every write and says nothing.
type shortConn struct{ net.Conn }

func (c shortConn) Write(p []byte) (int, error) { return c.Conn.Write(p[:len(p)-1]) }

// TestWireBreaksForGood: after part of a frame, nothing that follows makes sense.
func TestWireBreaksForGood(t *testing.T) {
	for _, c := range []struct {
		name string
		bend func(s *fakeSocket) net.Conn
		want error
		out  string
	}{
		{"error", func(s *fakeSocket) net.Conn { s.faults.failAfter = 4; return s }, errReset, "abc"},
		{"short write without error", func(s *fakeSocket) net.Conn { return shortConn{s} }, io.ErrShortWrite, "abcde"},
	} {
		client, server := newSocketPair(1 << 10)
		w := newWire(c.bend(server), nil, time.Second, newClock(nil))
		w.raw = server
		if _, err := w.Write([]byte("abcdef")); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		server.faults.failAfter = 0 // the socket is well again
		if _, err := w.Write([]byte("later")); !errors.Is(err, c.want) {
			t.Errorf("%s: a later Write got %v, want %v", c.name, err, c.want)
		}
		if _, err := w.tryLocked([]byte("later")); !errors.Is(err, c.want) {
			t.Errorf("%s: a later try got %v, want %v", c.name, err, c.want)
		}
		if got := string(client.in.buf); got != c.out {
			t.Errorf("%s: got %q on the line, want %q", c.name, got, c.out)
		}
		w.SetDeadline(time.Time{})
	}
}

func TestWireWritesNothingAfterACloseFrame(t *testing.T) {
	client, server := newSocketPair(1 << 10)
	w := newWire(server, nil, time.Second, newClock(nil))
	pong, end := []byte{0x8a, 0}, closeFrame(1000, "bye")
	for i, p := range [][]byte{pong, end, pong, end} {
		if n, err := w.Write(p); n != len(p) || err != nil {
			t.Errorf("write %d: got %d, %v; want %d and no error", i, n, err, len(p))
		}
		if got, want := w.saidClose(), i > 0; got != want {
			t.Errorf("write %d: saidClose %v, want %v", i, got, want)
		}
	}
	if got, want := client.in.buf, append(pong, end...); !bytes.Equal(got, want) {
		t.Errorf("got % x on the line, want % x", got, want)
	}
	w.SetDeadline(time.Time{})
}

// TestWireDeadlines: how long a write to a peer that takes nothing may last.
func TestWireDeadlines(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		before  func(*wire)
		after   func(*wire) // a second after the write began
		want    time.Duration
	}{
		{"timeout", 4 * time.Second, nil, nil, 4 * time.Second},
		{"hastened before", 4 * time.Second, (*wire).hasten, nil, hurryTimeout},
		{"hastened during", 4 * time.Second, nil, (*wire).hasten, time.Second + hurryTimeout},
		{"hastened, but the timeout is shorter", 100 * time.Millisecond, (*wire).hasten, nil, 100 * time.Millisecond},
		{"aborted before", 4 * time.Second, (*wire).abort, nil, 0},
		{"aborted during", 4 * time.Second, nil, (*wire).abort, time.Second},
		{"aborted, then hastened", 4 * time.Second, func(w *wire) { w.hasten(); w.abort() }, nil, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := newSocketPair(4)
			client.stall(true)
			w := newWire(server, nil, c.timeout, newClock(nil))
			if c.before != nil {
				c.before(w)
			}
			if c.after != nil {
				time.AfterFunc(time.Second, func() { c.after(w) })
			}
			start := time.Now()
			_, err := w.Write([]byte("more than fits"))
			if got := time.Since(start); got != c.want || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: got %v after %v, want a timeout after %v", c.name, err, got, c.want)
			}
		})
	}
}

// TestWireAbortIsLasting: no deadline set later may let a read wait again.
func TestWireAbortIsLasting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newSocketPair(4)
		w := newWire(server, nil, time.Second, newClock(nil))
		start := time.Now()
		w.abort()
		w.halfClose(time.Hour)
		w.discard(1, time.Hour)
		_, err := w.Read(make([]byte, 1))
		if took := time.Since(start); took != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v after %v, want a timeout at once", err, took)
		}
	})
}

// TestWireLiftsTheDeadline: the deadline of a blocking write must not fail a try
// that comes long after it.
func TestWireLiftsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := newSocketPair(1 << 10)
		w := newWire(server, nil, time.Second, newClock(nil))
		w.Write([]byte("pong"))
		time.Sleep(time.Minute)
		if n, err := w.tryLocked([]byte("event")); n != 5 || err != nil {
			t.Errorf("got %d, %v; want 5 and no error", n, err)
		}
	})
}

// TestWireDiscardIsBounded, in bytes and in time.
func TestWireDiscardIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := newSocketPair(1 << 10)
		w := newWire(server, nil, time.Second, newClock(nil))
		client.Write(make([]byte, 300))
		w.discard(200, time.Second)
		if got := len(server.in.buf); got != 100 {
			t.Errorf("%d bytes left of 300 after discarding 200, want 100", got)
		}
		start := time.Now()
		w.discard(200, 500*time.Millisecond)
		if got, want := time.Since(start), 500*time.Millisecond; got != want {
			t.Errorf("discarding from a silent peer took %v, want %v", got, want)
		}
	})
}

func TestTryWriterOf(t *testing.T) {
	pair := func(network, address string) net.Conn {
		ln, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		c, err := net.Dial(network, ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	tcp := pair("tcp", "127.0.0.1:0")
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	fake, _ := newSocketPair(1)
	for _, c := range []struct {
		name string
		c    net.Conn
		want bool
	}{
		{"TCP", tcp, true},
		{"unix socket", pair("unix", filepath.Join(t.TempDir(), "s")), true},
		{"one that tries itself", fake, true},
		{"TLS", tls.Client(tcp, &tls.Config{}), false},
		{"pipe", pipe, false},
		{"a wrapper of the caller's", plainConn{tcp}, false},
	} {
		if got := tryWriterOf(c.c) != nil; got != c.want && runtime.GOOS != "windows" {
			t.Errorf("%s: non-blocking %v, want %v", c.name, got, c.want)
		}
	}
}

// TestRawSocketNeverWaits: a full socket takes nothing, is no error, and takes
// more once the peer has read; a closed one is an error.
func TestRawSocketNeverWaits(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	raw := tryWriterOf(server)
	written := 0
	for {
		n, err := raw.tryWrite(make([]byte, 1<<20))
		if err != nil {
			t.Fatalf("after %d bytes: %v", written, err)
		}
		if n == 0 {
			break
		}
		written += n
	}
	if _, err := io.CopyN(io.Discard, client, int64(written)); err != nil {
		t.Fatal(err)
	}
	for n := 0; n == 0; { // the kernel tells the sender in its own time
		if n, err = raw.tryWrite([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if n, err := raw.tryWrite([]byte("x")); n != 0 || err == nil {
		t.Errorf("closed: got %d, %v; want 0 and an error", n, err)
	}
}
