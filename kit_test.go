package usercast

// What the tests share: a hub behind an HTTP server on pipes or on loopback, and
// a device that speaks WebSocket by hand, so that a test can see and break every byte.

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usercast-go/usercast/internal/pipe"
)

// userAuth trusts ?user= and, for tests of expiry, ?ttl=.
var userAuth = AuthenticatorFunc(func(r *http.Request) (Identity, error) {
	q := r.URL.Query()
	id := Identity{UserID: q.Get("user"), SessionID: "s"}
	if id.UserID == "" {
		return Identity{}, ErrTokenMissing
	}
	if ttl := q.Get("ttl"); ttl != "" {
		d, err := time.ParseDuration(ttl)
		if err != nil {
			return Identity{}, err
		}
		id.ExpiresAt = time.Now().Add(d)
	}
	return id, nil
})

// A site is a hub being served.
type site struct {
	t    testing.TB
	hub  *Hub
	srv  *http.Server
	ln   net.Listener
	logs *lockedBuffer
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newSite serves a hub on pipes, which work inside a synctest bubble.
func newSite(t testing.TB, cfg Config) *site { return newSiteOn(t, cfg, pipe.Listen()) }

// newTCPSite serves a hub on loopback, where writes do not wait for the reader.
func newTCPSite(t testing.TB, cfg Config) *site {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newSiteOn(t, cfg, ln)
}

func newSiteOn(t testing.TB, cfg Config, ln net.Listener) *site {
	t.Helper()
	s := &site{t: t, ln: ln, logs: new(lockedBuffer)}
	if cfg.Auth == nil {
		cfg.Auth = userAuth
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	hub, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	s.hub = hub
	s.srv = &http.Server{Handler: hub, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)}
	go s.srv.Serve(ln)
	t.Cleanup(s.stop)
	return s
}

// stop ends everything and may be called before the cleanup does.
func (s *site) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.hub.Shutdown(ctx); err != nil {
		s.t.Errorf("Shutdown: %v", err)
	}
	s.srv.Close()
}

// conn opens a byte stream to the site.
func (s *site) conn() net.Conn {
	s.t.Helper()
	var c net.Conn
	var err error
	switch l := s.ln.(type) {
	case *pipe.Listener:
		c, err = l.Dial(context.Background())
	case *socketListener:
		c, err = l.dialSocket()
	default:
		c, err = net.Dial("tcp", s.ln.Addr().String())
	}
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// A frameIn is one event frame as a device reads it.
type frameIn struct {
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
	Timestamp Timestamp       `json:"timestamp"`
	Class     string          `json:"class"`
	Key       string          `json:"key"`
	Scope     string          `json:"scope"`
	Raw       string          `json:"-"`
}

type helloIn struct {
	ConnectionID    string
	Device          string
	Epoch           string
	Verdict         Verdict
	Reason          GapReason
	GlobalTimestamp Timestamp
	HeartbeatMs     int64
	BufferSize      int
	BufferTTLMs     int64
}

// A device is a client that speaks WebSocket by hand.
type device struct {
	t     testing.TB
	c     net.Conn
	r     *bufio.Reader
	resp  *http.Response
	hello helloIn
	first frameIn // hub.hello
	pings int
	mute  bool // answer no pings
	wmu   sync.Mutex
}

// errClosed carries the close frame that ended a device.
type errClosed struct {
	code   int
	reason string
}

func (e *errClosed) Error() string { return fmt.Sprintf("close %d %q", e.code, e.reason) }

// request writes a handshake with the given query and header lines "Name: value".
func request(query string, header ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "GET /ws?%s HTTP/1.1\r\nHost: app.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", query, base64.StdEncoding.EncodeToString(make([]byte, 16)))
	for _, h := range header {
		b.WriteString(h + "\r\n")
	}
	return b.String() + "\r\n"
}

const v1Header = "Sec-WebSocket-Protocol: usercast.v1"

// open sends a handshake and reads the response, whatever it is.
func (s *site) open(query string, header ...string) (*device, error) {
	d := &device{t: s.t, c: s.conn()}
	return d, d.handshake(query, header...)
}

func (d *device) handshake(query string, header ...string) error {
	d.r = bufio.NewReader(d.c)
	errc := make(chan error, 1)
	go func() {
		_, err := io.WriteString(d.c, request(query, header...))
		errc <- err
	}()
	resp, err := http.ReadResponse(d.r, nil)
	if werr := <-errc; werr != nil && err == nil {
		err = werr
	}
	d.resp = resp
	return err
}

// dial connects and reads hub.hello.
func (s *site) dial(query string, header ...string) *device {
	s.t.Helper()
	d, err := s.open(query, header...)
	if err != nil {
		s.t.Fatalf("handshake %q: %v", query, err)
	}
	if d.resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(d.resp.Body)
		s.t.Fatalf("handshake %q: %s %s", query, d.resp.Status, body)
	}
	if err := d.readHello(); err != nil {
		s.t.Fatalf("hello after %q: %v", query, err)
	}
	return d
}

func (d *device) readHello() error {
	f, err := d.next()
	if err != nil {
		return err
	}
	if f.Type != "hub.hello" {
		return fmt.Errorf("first frame is %s", f.Raw)
	}
	d.first = f
	return json.Unmarshal(f.Payload, &d.hello)
}

// resume is the query by which a client comes back.
func resume(user string, epoch string, ts Timestamp) string {
	return "user=" + url.QueryEscape(user) + "&epoch=" + epoch + "&lastEventTs=" + url.QueryEscape(ts.String())
}

// next returns the next event frame, answering pings on the way.
func (d *device) next() (frameIn, error) {
	for {
		op, p, err := d.readFrame()
		if err != nil {
			return frameIn{}, err
		}
		switch op {
		case 9:
			d.pings++
			if !d.mute {
				d.write(10, p)
			}
		case 8:
			e := &errClosed{code: 1005}
			if len(p) >= 2 {
				e.code, e.reason = int(binary.BigEndian.Uint16(p)), string(p[2:])
			}
			return frameIn{}, e
		case 1:
			if string(p) == "pong" {
				return frameIn{Type: "pong", Raw: "pong"}, nil
			}
			f := frameIn{Raw: string(p)}
			if err := json.Unmarshal(p, &f); err != nil {
				return f, fmt.Errorf("frame %q: %w", p, err)
			}
			return f, nil
		}
	}
}

func (d *device) readFrame() (op byte, p []byte, err error) {
	var h [2]byte
	if _, err = io.ReadFull(d.r, h[:]); err != nil {
		return
	}
	if h[0]&0x80 == 0 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("header % x: fragmented or masked", h)
	}
	n := uint64(h[1])
	switch n {
	case 126:
		var b [2]byte
		if _, err = io.ReadFull(d.r, b[:]); err != nil {
			return
		}
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		if _, err = io.ReadFull(d.r, b[:]); err != nil {
			return
		}
		n = binary.BigEndian.Uint64(b[:])
	}
	p = make([]byte, n)
	_, err = io.ReadFull(d.r, p)
	return h[0] & 0xf, p, err
}

// write sends one masked frame (with a zero mask: the bytes stay readable).
func (d *device) write(op byte, p []byte) error {
	return d.writeRaw(clientFrame(0x80|op, p))
}

func clientFrame(first byte, p []byte) []byte {
	b := []byte{first}
	switch {
	case len(p) < 126:
		b = append(b, 0x80|byte(len(p)))
	case len(p) < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(p)))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(len(p)))
	}
	return append(append(b, 0, 0, 0, 0), p...)
}

func (d *device) writeRaw(p []byte) error {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	_, err := d.c.Write(p)
	return err
}

func (d *device) text(s string) error { return d.write(1, []byte(s)) }

// must returns the next event frame or fails the test.
func (d *device) must(typ string) frameIn {
	d.t.Helper()
	f, err := d.next()
	if err != nil {
		d.t.Fatalf("waiting for %s: %v", typ, err)
	}
	if f.Type != typ {
		d.t.Fatalf("got %s, want %s", f.Raw, typ)
	}
	return f
}

// closed reads until the connection ends and returns the close code; 1006 if none came.
func (d *device) closed() (code int, reason string) {
	for {
		_, err := d.next()
		if e := (*errClosed)(nil); errors.As(err, &e) {
			return e.code, e.reason
		}
		if err != nil {
			return 1006, err.Error()
		}
	}
}

// until reads up to and with the frame of that type.
func (d *device) until(typ string) (frames []frameIn) {
	d.t.Helper()
	for {
		f, err := d.next()
		if err != nil {
			d.t.Fatalf("waiting for %s after %d frames: %v", typ, len(frames), err)
		}
		frames = append(frames, f)
		if f.Type == typ {
			return frames
		}
	}
}

// collect reads in the background until the connection ends.
func (d *device) collect() *collected {
	c := &collected{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for {
			f, err := d.next()
			c.mu.Lock()
			if err != nil {
				c.err = err
				c.mu.Unlock()
				return
			}
			c.frames = append(c.frames, f)
			c.mu.Unlock()
		}
	}()
	return c
}

type collected struct {
	mu     sync.Mutex
	frames []frameIn
	err    error
	done   chan struct{}
}

func (c *collected) all() []frameIn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]frameIn(nil), c.frames...)
}

func (c *collected) types() string {
	var s []string
	for _, f := range c.all() {
		s = append(s, f.Type)
	}
	return strings.Join(s, " ")
}

// closeCode waits for the end.
func (c *collected) closeCode() int {
	<-c.done
	if e := (*errClosed)(nil); errors.As(c.err, &e) {
		return e.code
	}
	return 1006
}

// broadcast fails the test if the event is refused.
func (s *site) broadcast(user string, ev Event) Timestamp {
	s.t.Helper()
	ts, err := s.hub.BroadcastContext(context.Background(), user, ev)
	if err != nil {
		s.t.Fatalf("Broadcast(%q, %v): %v", user, ev.Type, err)
	}
	return ts
}

func ev(typ string, payload any) Event { return Event{Type: typ, Payload: payload} }
