package emit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var dates = regexp.MustCompile(`Date: [^\r]*`)

// exchange sends one request and returns the raw response, with its headers in order
// and without their date.
func exchange(t *testing.T, h http.Handler, method string) string {
	var raw []byte
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, h)
		io.WriteString(c, method+" / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		raw, _ = io.ReadAll(c) // an error where the handler panics
	})
	head, rest, more := strings.Cut(dates.ReplaceAllString(string(raw), "Date: now"), "\r\n\r\n")
	sorted := ""
	for more {
		lines := strings.Split(head, "\r\n")
		slices.Sort(lines[1:])
		sorted += strings.Join(lines, "\r\n") + "\r\n\r\n"
		if !strings.HasPrefix(rest, "HTTP/1.1") {
			break
		}
		head, rest, more = strings.Cut(rest, "\r\n\r\n")
	}
	return sorted + rest
}

// Handlers that write in all ways there are. The flag says whether it makes a
// difference on the wire that something is to be sent: chunks are cut elsewhere.
var writers = map[string]struct {
	h     http.HandlerFunc
	chunk bool
}{
	"nothing":      {h: func(w http.ResponseWriter, r *http.Request) {}},
	"status":       {h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(202) }},
	"no content":   {h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) }},
	"not modified": {h: func(w http.ResponseWriter, r *http.Request) { w.Header().Set("ETag", `"1"`); w.WriteHeader(304) }},
	"error":        {h: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", 404) }},
	"redirect":     {h: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusSeeOther) }},
	"text":         {h: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello"); w.Write([]byte(" you")) }},
	"html":         {h: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "<html>"); io.WriteString(w, "<body>") }},
	"empty write":  {h: func(w http.ResponseWriter, r *http.Request) { w.Write(nil) }},
	"2 KiB":        {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1000)); w.Write(make([]byte, 1048)) }},
	"more":         {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 1000)); w.Write(make([]byte, 1049)) }, chunk: true},
	"much more":    {h: func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, 100_000)) }, chunk: true},
	"with length": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_, err := io.WriteString(w, "hello, too much")
		if !errors.Is(err, http.ErrContentLength) {
			panic(fmt.Sprint("too much: ", err))
		}
	}},
	"content": {h: func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "a.txt", time.Unix(1e9, 0), strings.NewReader(strings.Repeat("text ", 5000)))
	}},
	"copied": {h: func(w http.ResponseWriter, r *http.Request) { io.Copy(w, onlyReader{strings.NewReader("short")}) }},
	"flushed": {h: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		io.WriteString(w, "b")
	}},
	"flushed at once": {h: func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
	}},
	"late header": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Early", "1")
		w.WriteHeader(200)
		w.Header().Set("X-Late", "1")
		w.Header().Del("X-Early")
		io.WriteString(w, "a")
	}},
	"trailer": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		io.WriteString(w, "a")
		w.Header().Set("X-Sum", "1")
	}, chunk: true},
	"trailer unannounced": {h: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.(http.Flusher).Flush()
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	}, chunk: true},
	"trailer too late": {h: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "a")
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
	}},
	"trailer too early": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		io.WriteString(w, "a")
	}, chunk: true},
	"early hints": {h: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(103)
		w.Header().Del("Link")
		io.WriteString(w, "a")
	}},
	"error after hints": {h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); http.Error(w, "no", 404) }},
	"twice": {h: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		io.WriteString(w, "a")
	}},
	"body of no use": {h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204); io.WriteString(w, "a") }},
	"odd status":     {h: func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(99) }},
	"panic":          {h: func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "half"); panic(http.ErrAbortHandler) }},
	"panic, flushed": {h: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}},
	"hijacked": {h: func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		rw.WriteString("HTTP/1.1 299 By hand\r\n\r\n")
		rw.Flush()
		w.WriteHeader(500) // too late
		if _, err := io.WriteString(w, "a"); !errors.Is(err, http.ErrHijacked) {
			panic(fmt.Sprint("write after Hijack: ", err))
		}
	}},
	"hijacked late": {h: func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "half")
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		defer c.Close()
		rw.WriteString("by hand")
		rw.Flush()
	}},
	"deadlines": {h: func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Time{}), rc.SetWriteDeadline(time.Time{}), rc.EnableFullDuplex()); err != nil {
			panic(err)
		}
		io.WriteString(w, "a")
	}},
}

type onlyReader struct{ io.Reader }

// Behind the middleware the bytes on the wire are the same, whether or not something is
// to be sent.
func TestResponseIsUnchanged(t *testing.T) {
	quiet := OutboxConfig{Logger: new(logBuffer).logger()}
	for name, tc := range writers {
		for _, method := range []string{"GET", "HEAD"} {
			t.Run(name+" "+method, func(t *testing.T) {
				plain := exchange(t, tc.h, method)
				to := new(listener)
				want(t, "with nothing to send", exchange(t, quiet.Middleware(to)(tc.h), method), plain)
				emitting := exchange(t, quiet.Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					From(r.Context()).Broadcast("alice", event("A", nil))
					tc.h(w, r)
				})), method)
				if tc.chunk {
					emitting, plain = whole(t, emitting, method), whole(t, plain, method)
				}
				want(t, "with something to send", emitting, plain)
				failed := strings.Contains(plain, "404") || strings.HasPrefix(name, "panic") || name == "odd status"
				want(t, "something was sent", to.heard() != "", !failed)
			})
		}
	}
}

// net/http hears of a second status, and says so.
func TestResponseStatusTwice(t *testing.T) {
	srv := httptest.NewUnstartedServer(Middleware(new(listener))(writers["twice"].h))
	logs := new(logBuffer)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(logs, nil), slog.LevelError)
	srv.Start()
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	want(t, "status", resp.StatusCode, 201)
	if !strings.Contains(logs.String(), "superfluous") {
		t.Errorf("logged %q", logs)
	}
}

// whole is a response without the cuts of its chunks.
func whole(t *testing.T, raw, method string) string {
	resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(raw)), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.Status, resp.Header, resp.TransferEncoding, resp.ContentLength, resp.Trailer, len(body), bytes.Count(body, []byte("a")), err)
}

// Writers with each combination of abilities: direct, or behind one that only unwraps.
type (
	plainWriter struct{ http.ResponseWriter }
	ability     struct{ called *string }
	opaque      struct{ below http.ResponseWriter }
)

func (a ability) note(s string) { *a.called += s + " " }

type canF struct{ ability }
type canH struct{ ability }
type canR struct{ ability }
type canP struct{ ability }

func (c canF) Flush() { c.note("flush") }
func (c canH) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c.note("hijack")
	return nil, nil, nil
}
func (c canR) ReadFrom(src io.Reader) (int64, error) {
	c.note("readfrom")
	return io.Copy(io.Discard, src)
}
func (c canP) Push(string, *http.PushOptions) error { c.note("push"); return nil }
func (o opaque) Header() http.Header                { return o.below.Header() }
func (o opaque) Write(p []byte) (int, error)        { return o.below.Write(p) }
func (o opaque) WriteHeader(status int)             { o.below.WriteHeader(status) }
func (o opaque) Unwrap() http.ResponseWriter        { return o.below }

// able returns a writer with the abilities of a set of bits.
func able(bits int, called *string) http.ResponseWriter {
	w := plainWriter{httptest.NewRecorder()}
	a := ability{called}
	f, h, r, p := canF{a}, canH{a}, canR{a}, canP{a}
	return [...]http.ResponseWriter{
		w,
		struct {
			plainWriter
			http.Flusher
		}{w, f},
		struct {
			plainWriter
			http.Hijacker
		}{w, h},
		struct {
			plainWriter
			http.Flusher
			http.Hijacker
		}{w, f, h},
		struct {
			plainWriter
			io.ReaderFrom
		}{w, r},
		struct {
			plainWriter
			http.Flusher
			io.ReaderFrom
		}{w, f, r},
		struct {
			plainWriter
			http.Hijacker
			io.ReaderFrom
		}{w, h, r},
		struct {
			plainWriter
			http.Flusher
			http.Hijacker
			io.ReaderFrom
		}{w, f, h, r},
		struct {
			plainWriter
			http.Pusher
		}{w, p},
		struct {
			plainWriter
			http.Flusher
			http.Pusher
		}{w, f, p},
		struct {
			plainWriter
			http.Hijacker
			http.Pusher
		}{w, h, p},
		struct {
			plainWriter
			http.Flusher
			http.Hijacker
			http.Pusher
		}{w, f, h, p},
		struct {
			plainWriter
			io.ReaderFrom
			http.Pusher
		}{w, r, p},
		struct {
			plainWriter
			http.Flusher
			io.ReaderFrom
			http.Pusher
		}{w, f, r, p},
		struct {
			plainWriter
			http.Hijacker
			io.ReaderFrom
			http.Pusher
		}{w, h, r, p},
		struct {
			plainWriter
			http.Flusher
			http.Hijacker
			io.ReaderFrom
			http.Pusher
		}{w, f, h, r, p},
	}[bits]
}

// The writer can do what the one below can, and nothing else.
func TestResponseOffersWhatIsBelow(t *testing.T) {
	for bits := range 16 {
		for _, hidden := range []bool{false, true} {
			var called string
			below := able(bits, &called)
			wanted := bits
			if hidden {
				below = opaque{below}
				wanted &= 3 // as far as http.ResponseController goes
			}
			w := (&response{below: below}).writer()
			got := 0
			if f, ok := w.(http.Flusher); ok {
				got |= 1
				f.Flush()
			}
			if rf, ok := w.(io.ReaderFrom); ok {
				got |= 4
				if n, err := rf.ReadFrom(io.LimitReader(zeros{}, 10_000)); n != 10_000 || err != nil {
					t.Errorf("ReadFrom: %d, %v", n, err)
				}
			}
			if p, ok := w.(http.Pusher); ok {
				got |= 8
				p.Push("/style.css", nil)
			}
			if h, ok := w.(http.Hijacker); ok {
				got |= 2
				h.Hijack()
			}
			want(t, fmt.Sprintf("abilities of %04b, hidden %v", bits, hidden), got, wanted)
			var calls string
			for _, c := range []struct {
				bit  int
				name string
			}{{1, "flush "}, {4, "readfrom "}, {8, "push "}, {2, "hijack "}} {
				if wanted&c.bit != 0 {
					calls += c.name
				}
			}
			want(t, fmt.Sprintf("calls of %04b, hidden %v", bits, hidden), called, calls)
			if err := http.NewResponseController(w).Flush(); (err == nil) != (bits&1 != 0) {
				t.Errorf("ResponseController.Flush of %04b: %v", bits, err)
			}
			if _, _, err := http.NewResponseController(w).Hijack(); (err == nil) != (bits&2 != 0) {
				t.Errorf("ResponseController.Hijack of %04b: %v", bits, err)
			}
		}
	}
}

// A file still takes the short way into the socket.
func TestResponseReadFrom(t *testing.T) {
	for _, tc := range []struct {
		length int
		short  bool // by the writer below
	}{{0, false}, {maxKept, false}, {maxKept + 1, true}, {1 << 20, true}} {
		var called string
		r := &response{below: able(4, &called)}
		n, err := r.writer().(io.ReaderFrom).ReadFrom(io.LimitReader(zeros{}, int64(tc.length)))
		if n != int64(tc.length) || err != nil {
			t.Errorf("%d bytes: %d, %v", tc.length, n, err)
		}
		want(t, fmt.Sprint(tc.length, " bytes go below"), called != "", tc.short)
		want(t, fmt.Sprint(tc.length, " bytes have begun"), r.begun, tc.short)
	}
	// An error of the source leaves what came before it.
	var called string
	r := &response{below: able(4, &called)}
	n, err := r.writer().(io.ReaderFrom).ReadFrom(io.MultiReader(strings.NewReader("abc"), errReader{}))
	if n != 3 || !errors.Is(err, errOops) || string(r.kept) != "abc" {
		t.Errorf("got %d, %v, kept %q", n, err, r.kept)
	}
	// With a Content-Length there is nothing to find out.
	r = &response{below: able(4, &called)}
	r.Header().Set("Content-Length", "3")
	r.readFrom(strings.NewReader("abc"))
	want(t, "with a length, called", called, "readfrom ")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errOops }

// A panic of the handler leaves the response to who recovers it.
func TestResponseAfterAPanic(t *testing.T) {
	to := new(listener)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			recover()
			http.Error(w, "sorry", 500)
		}()
		Middleware(to)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			From(r.Context()).Broadcast("alice", event("A", nil))
			io.WriteString(w, "half")
			panic("angry")
		})).ServeHTTP(w, r)
	})
	raw := exchange(t, h, "GET")
	if !strings.HasPrefix(raw, "HTTP/1.1 500") || strings.Contains(raw, "half") {
		t.Errorf("response: %q", raw)
	}
	want(t, "sent", to.heard(), "")
}
