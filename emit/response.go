package emit

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxKept is how much of a body waits for the handler to return. It is what net/http
// itself keeps back to find the Content-Length; a response that it would send in
// chunks is sent in chunks here, too.
const maxKept = 2048

// A response is the ResponseWriter behind [Middleware]. It remembers the status, and
// keeps back the beginning of a response without a Content-Length: only what has not
// begun can still be given one, and without one a flush would turn the response into
// chunks. Like every ResponseWriter it is for one goroutine at a time.
type response struct {
	below    http.ResponseWriter
	head     bool        // the request is a HEAD
	status   int         // 0: not written yet
	again    int         // a second one: too late, but net/http has something to say
	begun    bool        // status and headers have gone below
	hijacked bool        // the connection is the handler's
	kept     []byte      // the body, until it begins
	header   http.Header // as WriteHeader found it, if it may have changed since
}

// failed says whether the events of the request are to be dropped.
func (r *response) failed() bool { return r.status >= http.StatusBadRequest }

func (r *response) Header() http.Header {
	h := r.below.Header()
	if r.status != 0 && !r.begun && r.header == nil {
		r.header = h.Clone() // what the handler changes from now on is too late, or a trailer
	}
	return h
}

func (r *response) WriteHeader(status int) {
	switch {
	case r.status != 0 && !r.begun:
		r.again = status
	case r.begun, r.hijacked, status < 100, status > 999, // net/http says what is wrong
		status < 200 && status != http.StatusSwitchingProtocols:
		r.below.WriteHeader(status)
	default:
		r.status = status
		if !r.wantsLength() {
			r.begin()
		}
	}
}

// wantsLength says whether the response may be given a Content-Length once its body
// is known.
func (r *response) wantsLength() bool {
	h := r.below.Header()
	for _, name := range [...]string{"Content-Length", "Transfer-Encoding", "Trailer"} {
		if len(h[name]) > 0 {
			return false
		}
	}
	return r.status >= 200 && r.status != http.StatusNoContent && r.status != http.StatusNotModified
}

func (r *response) Write(p []byte) (int, error) {
	if r.keeps(len(p)) {
		r.kept = append(r.kept, p...)
		return len(p), nil
	}
	return r.below.Write(p)
}

// WriteString implements [io.StringWriter], which spares a copy.
func (r *response) WriteString(s string) (int, error) {
	if r.keeps(len(s)) {
		r.kept = append(r.kept, s...)
		return len(s), nil
	}
	return io.WriteString(r.below, s)
}

// keeps says whether n more bytes of the body are kept back. If not, the response has
// begun.
func (r *response) keeps(n int) bool {
	if r.hijacked {
		return false
	}
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	if !r.begun && len(r.kept)+n > maxKept {
		r.begin()
	}
	return !r.begun
}

// begin passes on what was kept back.
func (r *response) begin() {
	if r.begun {
		return
	}
	r.begun = true
	if r.header == nil {
		r.below.WriteHeader(r.status)
	} else {
		now := r.below.Header().Clone()
		replace(r.below.Header(), r.header)
		r.below.WriteHeader(r.status)
		replace(r.below.Header(), now) // trailers are read from it at the end
	}
	if r.again != 0 {
		r.below.WriteHeader(r.again)
	}
	if len(r.kept) > 0 {
		r.below.Write(r.kept) // an error comes back with the next write
	}
	r.kept, r.header = nil, nil
}

func replace(h, by http.Header) {
	clear(h)
	maps.Copy(h, by)
}

// finish passes on what was kept back when the handler has returned. flush: and sends
// all of it, so that whatever happens next happens after the response.
func (r *response) finish(flush bool) {
	if r.hijacked || r.status == 0 && !flush {
		return
	}
	if r.status == 0 {
		r.WriteHeader(http.StatusOK)
	}
	h := r.header
	if h == nil {
		h = r.below.Header()
	}
	// As net/http does it: what a HEAD leaves out has a length that nobody knows.
	if flush && !r.begun && !hasTrailers(h) && (!r.head || len(r.kept) > 0) {
		h.Set("Content-Length", strconv.Itoa(len(r.kept)))
	}
	r.begin()
	if flush {
		// It fails if the client has gone, or if the writer below cannot: either way
		// the events go out.
		http.NewResponseController(r.below).Flush()
	}
}

func hasTrailers(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return true
		}
	}
	return false
}

// Unwrap lets [http.ResponseController], and others, find what is below. Everything
// that would overtake the bytes that are kept back has a method here.
func (r *response) Unwrap() http.ResponseWriter { return r.below }

// FlushError is what [http.ResponseController.Flush] calls.
func (r *response) FlushError() error {
	if !r.hijacked {
		if r.status == 0 {
			r.WriteHeader(http.StatusOK)
		}
		r.begin()
	}
	return http.NewResponseController(r.below).Flush()
}

func (r *response) flush() { r.FlushError() }

// hijack hands the connection to the handler. Whatever it has written first goes first.
func (r *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if r.status != 0 {
		r.begin()
	}
	c, rw, err := http.NewResponseController(r.below).Hijack()
	r.hijacked = r.hijacked || err == nil
	return c, rw, err
}

// readFrom copies a body from src, by the way of the writer below (sendfile, for a
// file) once it is known to be long.
func (r *response) readFrom(src io.Reader) (n int64, err error) {
	if r.keeps(0) {
		// One byte more than is kept back begins the response.
		n, err = io.Copy(keeper{r}, io.LimitReader(src, int64(maxKept-len(r.kept)+1)))
		if err != nil || !r.begun {
			return n, err
		}
	}
	rest, err := r.below.(io.ReaderFrom).ReadFrom(src)
	return n + rest, err
}

// keeper hides ReadFrom from io.Copy.
type keeper struct{ r *response }

func (k keeper) Write(p []byte) (int, error) { return k.r.Write(p) }

// These pass through, so that a ResponseController has no reason to go past.

func (r *response) SetReadDeadline(t time.Time) error {
	return http.NewResponseController(r.below).SetReadDeadline(t)
}

func (r *response) SetWriteDeadline(t time.Time) error {
	return http.NewResponseController(r.below).SetWriteDeadline(t)
}

func (r *response) EnableFullDuplex() error {
	return http.NewResponseController(r.below).EnableFullDuplex()
}
