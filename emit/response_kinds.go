package emit

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// What a ResponseWriter can do is asked by type assertion, so each combination of
// abilities is a type of its own.

type (
	flusher    struct{ r *response }
	hijacker   struct{ r *response }
	readerFrom struct{ r *response }
)

func (f flusher) Flush()                                         { f.r.flush() }
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return h.r.hijack() }
func (f readerFrom) ReadFrom(src io.Reader) (n int64, err error) { return f.r.readFrom(src) }

// writer returns the response as a ResponseWriter with the abilities of the one below.
// A Flusher or a Hijacker may be further down, where [http.ResponseController] finds
// it; Push and ReadFrom must not go past a writer that does not know of them.
func (r *response) writer() http.ResponseWriter {
	kind := 0
	_, readsFrom := r.below.(io.ReaderFrom)
	for bit, can := range [...]bool{canFlush(r.below), canHijack(r.below), readsFrom} {
		if can {
			kind |= 1 << bit
		}
	}
	if push, ok := r.below.(http.Pusher); ok {
		return r.pusher(kind, push)
	}
	f, h, rf := flusher{r}, hijacker{r}, readerFrom{r}
	switch kind {
	case 1:
		return struct {
			*response
			http.Flusher
		}{r, f}
	case 2:
		return struct {
			*response
			http.Hijacker
		}{r, h}
	case 3:
		return struct {
			*response
			http.Flusher
			http.Hijacker
		}{r, f, h}
	case 4:
		return struct {
			*response
			io.ReaderFrom
		}{r, rf}
	case 5:
		return struct {
			*response
			http.Flusher
			io.ReaderFrom
		}{r, f, rf}
	case 6:
		return struct {
			*response
			http.Hijacker
			io.ReaderFrom
		}{r, h, rf}
	case 7: // HTTP/1
		return struct {
			*response
			http.Flusher
			http.Hijacker
			io.ReaderFrom
		}{r, f, h, rf}
	}
	return r
}

// pusher is writer, above one that can push.
func (r *response) pusher(kind int, push http.Pusher) http.ResponseWriter {
	f, h, rf := flusher{r}, hijacker{r}, readerFrom{r}
	switch kind {
	case 1: // HTTP/2
		return struct {
			*response
			http.Flusher
			http.Pusher
		}{r, f, push}
	case 2:
		return struct {
			*response
			http.Hijacker
			http.Pusher
		}{r, h, push}
	case 3:
		return struct {
			*response
			http.Flusher
			http.Hijacker
			http.Pusher
		}{r, f, h, push}
	case 4:
		return struct {
			*response
			io.ReaderFrom
			http.Pusher
		}{r, rf, push}
	case 5:
		return struct {
			*response
			http.Flusher
			io.ReaderFrom
			http.Pusher
		}{r, f, rf, push}
	case 6:
		return struct {
			*response
			http.Hijacker
			io.ReaderFrom
			http.Pusher
		}{r, h, rf, push}
	case 7:
		return struct {
			*response
			http.Flusher
			http.Hijacker
			io.ReaderFrom
			http.Pusher
		}{r, f, h, rf, push}
	}
	return struct {
		*response
		http.Pusher
	}{r, push}
}

func canFlush(w http.ResponseWriter) bool {
	return has(w, func(w http.ResponseWriter) bool {
		switch w.(type) {
		case http.Flusher, interface{ FlushError() error }:
			return true
		}
		return false
	})
}

func canHijack(w http.ResponseWriter) bool {
	return has(w, func(w http.ResponseWriter) bool { _, ok := w.(http.Hijacker); return ok })
}

// has asks a writer and those that it unwraps to.
func has(w http.ResponseWriter, able func(http.ResponseWriter) bool) bool {
	for {
		if able(w) {
			return true
		}
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
}
