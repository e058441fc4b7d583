package usercast

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
)

// TestWireTLS: events, replay and close codes over TLS, whose connections have no
// non-blocking side.
func TestWireTLS(t *testing.T) {
	hub, err := New(Config{Auth: userAuth})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Shutdown(context.Background())
	srv := httptest.NewUnstartedServer(hub)
	srv.StartTLS()
	defer srv.Close()
	trust := srv.Client().Transport.(*http.Transport).TLSClientConfig
	dial := func(query string) *device {
		t.Helper()
		c, err := tls.Dial("tcp", srv.Listener.Addr().String(), trust)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		d := &device{t: t, c: c}
		if err := d.handshake(query, v1Header); err != nil || d.resp.StatusCode != 101 {
			t.Fatalf("handshake: %v, %v", err, d.resp)
		}
		if err := d.readHello(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := dial("user=alice")
	if soleConn(t, hub, "alice").wire.raw != nil {
		t.Error("a TLS connection has a non-blocking side")
	}
	d.must("hub.live")
	var last Timestamp
	for n := range 50 {
		if err := hub.Broadcast("alice", newSizedEvent(n, 100*n)); err != nil {
			t.Fatal(err)
		}
		f := d.must("SIZED")
		if err := checkSized(f.Payload, n); err != nil {
			t.Error(err)
		}
		if n == 9 {
			last = f.Timestamp
		}
	}
	again := dial(resume("alice", d.hello.Epoch, last))
	if again.hello.Verdict != Resumed {
		t.Errorf("verdict %q, want resumed", again.hello.Verdict)
	}
	for n := 10; n < 50; n++ {
		if err := checkSized(again.must("SIZED").Payload, n); err != nil {
			t.Error(err)
		}
	}
	other := dial("user=bob")
	if n := hub.Disconnect("alice", "out"); n != 2 {
		t.Errorf("Disconnect closed %d, want 2", n)
	}
	for _, d := range []*device{d, again} {
		if code, reason := d.closed(); code != CloseRevoked || reason != "out" {
			t.Errorf("got close %d %q, want %d \"out\"", code, reason, CloseRevoked)
		}
		d.c.Close()
	}
	go hub.Shutdown(context.Background())
	if code, _ := other.closed(); code != CloseRestarting {
		t.Errorf("got close %d, want %d", code, CloseRestarting)
	}
	other.c.Close()
}

// smallBuffers shrinks the send buffer of what it accepts, without hiding the
// *net.TCPConn.
type smallBuffers struct{ net.Listener }

// TestWireTCP: real sockets, with buffers so small that writes are partial, and
// pongs in between.
func TestWireTCP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSiteOn(t, Config{BufferSize: 10_000}, smallBuffers{ln})
	d := s.dial("user=alice")
	d.must("hub.live")
	if soleConn(t, s.hub, "alice").wire.raw == nil && runtime.GOOS != "windows" {
		t.Error("a TCP connection has no non-blocking side")
	}
	const events, pings = 2000, 100
	go func() {
		for n := range events {
			s.hub.Broadcast("alice", newSizedEvent(n, n%2000))
		}
	}()
	go func() {
		for range pings {
			d.write(9, []byte("p"))
		}
	}()
	for seen, pongs := 0, 0; seen < events || pongs < pings; {
		op, p, err := d.readFrame()
		if err != nil {
			t.Fatalf("after %d events and %d pongs: %v", seen, pongs, err)
		}
		if op == 10 {
			pongs++
			continue
		}
		if op != 1 {
			t.Fatalf("after %d events and %d pongs: opcode %d %q", seen, pongs, op, p)
		}
		var f frameIn
		if err := json.Unmarshal(p, &f); err != nil {
			t.Fatalf("frame %q: %v", p, err)
		}
		if err := checkSized(f.Payload, seen); err != nil {
			t.Fatal(err)
		}
		seen++
	}
	if st := s.hub.Stats(); st.SlowCloses != 0 || st.Delivered != events {
		t.Errorf("SlowCloses %d, Delivered %d; want 0, %d", st.SlowCloses, st.Delivered, events)
	}
}

func (l smallBuffers) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(8 << 10)
	}
	return c, err
}
