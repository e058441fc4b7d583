package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// protocolV1 is the subprotocol of the hub. Who offers it is refused by close code.
const protocolV1 = "usercast.v1"

// httpClient returns the client for handshakes and what its requests go through.
func httpClient(theirs *http.Client) (*http.Client, http.RoundTripper) {
	if theirs != nil {
		if theirs.Transport != nil {
			return theirs, theirs.Transport
		}
		return theirs, http.DefaultTransport
	}
	ours := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // the application has put something of its own there
		return ours, http.DefaultTransport
	}
	t = t.Clone()
	t.DisableKeepAlives = true // a refusal leaves no connection and no goroutine behind
	return ours, t
}

// dial asks for a token, opens a stream and makes the handshake. ctx bounds all of it.
func (c *Client) dial(ctx context.Context) (*session, error) {
	header := c.cfg.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.cfg.Token != nil {
		c.tokenAt = time.Now()
		token, err := c.token(ctx, c.reason)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, ErrUnauthorized) {
				c.report(err)
			}
			return nil, err
		}
		header.Set("Authorization", "Bearer "+token)
	}
	tap, err := c.openTap(ctx)
	if err != nil {
		return nil, err
	}
	claim := c.at
	handshake := *c.http
	handshake.Transport = tap
	ws, resp, err := websocket.Dial(ctx, c.address(claim), &websocket.DialOptions{
		HTTPClient:   &handshake,
		HTTPHeader:   header,
		Subprotocols: []string{protocolV1},
	})
	if err != nil {
		tap.close()
		return nil, refusal(resp, err)
	}
	ws.SetReadLimit(maxEventBytes)
	return newSession(c, ws, tap.stream, claim), nil
}

// token calls Config.Token. It runs in one goroutine at a time.
func (c *Client) token(ctx context.Context, reason TokenReason) (token string, err error) {
	err = contain("Token", func() (err error) {
		token, err = c.cfg.Token(ctx, reason)
		return err
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("client: token: %w", err)
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	}
	if token == "" {
		return "", errors.New("client: token: it is empty")
	}
	for i := 0; i < len(token); i++ {
		if token[i] <= ' ' || token[i] >= 0x7f { // the text must not quote it
			return "", fmt.Errorf("client: token: byte %d is none that a header can carry", i)
		}
	}
	return token, nil
}

// maxEpochBytes is longer than any hub's epoch. A cursor that names more is a
// broken one, and the hub answers it by a gap as any other.
const maxEpochBytes = 64

// address is the URL of a handshake that resumes from claim.
func (c *Client) address(claim usercast.Cursor) string {
	u := *c.url
	q := u.Query()
	q.Set("device", c.cfg.Device)
	if claim != (usercast.Cursor{}) {
		epoch := claim.Epoch
		q.Set("epoch", epoch[:min(len(epoch), maxEpochBytes)])
		q.Set("lastEventTs", claim.LastEventTs.String())
		if claim.LastGlobalTs != 0 {
			q.Set("lastGlobalTs", claim.LastGlobalTs.String())
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// A tap gives one handshake its way out and keeps hold of the stream that the
// handshake becomes: coder/websocket can close it only after waiting for others.
type tap struct {
	base   http.RoundTripper
	dialed net.Conn // by Config.Dial; nil: base dials
	stream *stream
}

func (c *Client) openTap(ctx context.Context) (*tap, error) {
	if c.cfg.Dial == nil {
		return &tap{base: c.base}, nil
	}
	// Called here and not by the transport, which would do so in a goroutine of its
	// own and leave it behind when ctx ends.
	var conn net.Conn
	err := contain("Dial", func() (err error) {
		conn, err = c.cfg.Dial(ctx)
		return err
	})
	if err != nil {
		if errors.Is(err, usercast.ErrPanic) {
			c.report(err)
		}
		return nil, fmt.Errorf("client: dial: %w", err)
	}
	var once atomic.Bool
	return &tap{dialed: conn, base: &http.Transport{
		DisableKeepAlives:   true,
		TLSHandshakeTimeout: c.cfg.ConnectTimeout,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if once.Swap(true) {
				return nil, errors.New("client: a handshake needs one connection")
			}
			return conn, nil
		},
	}}, nil
}

// RoundTrip implements [http.RoundTripper].
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		return resp, err
	}
	if body, ok := resp.Body.(io.ReadWriteCloser); ok {
		t.stream = newStream(body)
		resp.Body = t.stream
	}
	return resp, nil
}

// close ends a handshake that has failed.
func (t *tap) close() {
	if t.stream != nil {
		t.stream.Close()
	}
	if t.dialed != nil {
		t.dialed.Close()
	}
}

// errHungUp stands for io.EOF, which to coder/websocket means the end of a message
// when it comes between the bytes of one.
var errHungUp = errors.New("the hub hung up")

// A stream is the byte stream under a connection. It notes when something came,
// and can be closed at any time without waiting for anyone.
type stream struct {
	io.ReadWriteCloser
	born  time.Time
	heard atomic.Int64 // when the last byte came, ns since born
	once  sync.Once
	err   error
}

func newStream(rwc io.ReadWriteCloser) *stream {
	return &stream{ReadWriteCloser: rwc, born: time.Now()}
}

// Read implements [io.Reader].
func (s *stream) Read(p []byte) (n int, err error) {
	n, err = s.ReadWriteCloser.Read(p)
	if n > 0 {
		s.note()
	}
	if err == io.EOF {
		err = errHungUp
	}
	return n, err
}

// note says that something was heard just now.
func (s *stream) note() { s.heard.Store(int64(time.Since(s.born))) }

// heardAt returns when something was heard last.
func (s *stream) heardAt() time.Time { return s.born.Add(time.Duration(s.heard.Load())) }

// Close implements [io.Closer].
func (s *stream) Close() error {
	s.once.Do(func() { s.err = s.ReadWriteCloser.Close() })
	return s.err
}

// refusal turns a handshake that has failed into what it means. A hub that has no
// room to refuse by close code does so by HTTP, with the code in the body.
func refusal(resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
		// The error quotes the URL, in which a token may stand.
		if ue := (*url.Error)(nil); errors.As(err, &ue) {
			err = ue.Err
		}
		return fmt.Errorf("client: handshake: %w", err)
	}
	var body struct {
		Error string
		Code  int
	}
	if resp.Body != nil {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
		_ = json.Unmarshal(b, &body) // or it is not the hub's
	}
	switch {
	case body.Code >= 1000 && body.Code <= 4999: // else it is some other API's
		return &CloseError{Code: body.Code, Reason: clip(body.Error)}
	case resp.StatusCode == http.StatusUnauthorized:
		return &CloseError{Code: usercast.CloseUnauthorized, Reason: "401 from something before the hub"}
	case body.Error != "":
		return fmt.Errorf("client: handshake: HTTP status %d: %s", resp.StatusCode, clip(body.Error))
	}
	return fmt.Errorf("client: handshake: HTTP status %d", resp.StatusCode)
}
