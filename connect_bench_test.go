package usercast

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// BenchmarkConnect is a connection from the request to hub.live and its end, with
// nothing to replay and with a full ring. net/http and the client's few reads are in it.
func BenchmarkConnect(b *testing.B) {
	for _, c := range []struct {
		name   string
		events int
	}{{"fresh", 0}, {"200 to replay", 200}} {
		b.Run(c.name, func(b *testing.B) {
			s := newTCPSite(b, Config{})
			cursor := s.hub.Cursor("alice")
			for range c.events {
				s.broadcast("alice", ev("PENDING_UPDATED", map[string]string{"text": strings.Repeat("x", 100)}))
			}
			hello := []byte(request(resume("alice", cursor.Epoch, cursor.LastEventTs)))
			buf := make([]byte, 128<<10)
			b.ReportAllocs()
			for b.Loop() {
				if n := connectOnce(b, s, hello, buf); n < c.events*100 {
					b.Fatalf("got %d bytes with %d events in them", n, c.events)
				}
			}
		})
	}
}

// connectOnce returns how many bytes came up to hub.live.
func connectOnce(b *testing.B, s *site, request, buf []byte) (n int) {
	conn := s.conn()
	defer conn.Close()
	if _, err := conn.Write(request); err != nil {
		b.Fatal(err)
	}
	for !bytes.Contains(buf[max(0, n-200):n], []byte(`"hub.live"`)) {
		m, err := conn.Read(buf[n:])
		if n += m; err != nil {
			if err == io.EOF {
				b.Fatalf("refused: %s", buf[:n])
			}
			b.Fatal(err)
		}
	}
	return n
}
