package emit

import (
	"net/http"

	"github.com/usercast-go/usercast"
)

// Middleware gives every request an [Outbox], which its handler finds by [From]. Once
// the handler has returned with a status below 400, the response is sent and then the
// events: DB write, response, broadcast. With another status, or after a panic, the
// events are dropped, but for those of transactions that [Tx] has committed: these are
// sent in any case, because a request that fails after its commit has still changed
// the data. A hijacked connection has the status that was written before, else it is
// no failure.
//
// Those of transactions come in the order of commits, also if a client sends its next
// request the moment it has its response. For that they may be sent before the response, by
// a later request or transaction of the same user. The package documentation says what
// holds for the others.
//
// Nothing that happens to an event changes the response. It is logged and counted.
//
// If there is something to send, the response is flushed first; a body of up to 2 KiB
// still gets its Content-Length, and is complete on the wire by then. Of a longer one
// without a Content-Length, and on HTTP/2, the end mark follows when net/http ends the
// request. A writer below that cannot flush, such as that of [http.TimeoutHandler], makes
// the response come after the events.
//
// Behind it the ResponseWriter is an http.Flusher, http.Hijacker, http.Pusher and
// io.ReaderFrom where the one below is, and [http.ResponseController] works; it is not
// the deprecated http.CloseNotifier. The outbox ends with the request: what a
// goroutine of its own emits later is refused by [ErrEnded], and goes to the hub itself.
// A handler that lasts, as one that streams does, calls Flush when it has something.
//
// Within another Middleware for the same hub it does nothing: the outbox is one.
// For other bounds, or a logger, see [OutboxConfig.Middleware].
func Middleware(to usercast.Broadcaster) func(http.Handler) http.Handler {
	return OutboxConfig{}.Middleware(to)
}

// Middleware is [Middleware] with bounds and a logger for the outbox of each request.
// Events that [Tx] has committed are not refused by the bounds; beyond these they are
// sent before the response.
func (cfg OutboxConfig) Middleware(to usercast.Broadcaster) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if o := From(ctx); o.usable() && same(o.to, to) && !o.isHeld() && !o.hasEnded() {
				next.ServeHTTP(w, r)
				return
			}
			out, resp := NewOutbox(to, cfg), &response{below: w, head: r.Method == http.MethodHead}
			out.request = true
			returned := false
			defer func() {
				if !returned && out.close(true) { // a panic goes on from here by itself
					out.send(true)
				}
			}()
			next.ServeHTTP(resp.writer(), r.WithContext(WithOutbox(ctx, out)))
			returned = true
			waiting := out.close(resp.failed())
			if waiting {
				defer out.send(false) // whatever becomes of the response; errors are logged and counted
			}
			resp.finish(waiting)
		})
	}
}
