package usercast

import (
	"context"
	"fmt"
	"time"
)

// Shutdown refuses new connections and broadcasts, lets every connection have
// what is pending, closes it with 1012 and ends all goroutines. The close reason
// "restarting; spreadMs=N" tells clients to come back after a random part of N
// milliseconds, so that they do not all come at once.
//
// It returns nil when everything has ended. If ctx ends first, the connections
// that are left are cut and ctx's error is returned; the rest ends in the
// background. It may be called more than once, and [http.Server.Shutdown] does
// not call it: it knows nothing of upgraded connections.
func (h *Hub) Shutdown(ctx context.Context) error {
	if !h.closed.Swap(true) {
		h.spreadFor.Store(int64(h.spread()))
		h.endAll()
		go h.finish()
	}
	select {
	case <-h.done:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-h.done: // both are true, and this is the better news
		return nil
	default:
	}
	for i := range h.shards {
		h.shards[i].each(func(c *conn) { c.wire.abort() })
	}
	return fmt.Errorf("usercast: shutdown: %w", ctx.Err())
}

// endAll asks every connection to end. Whoever registers later sees that the hub
// is closed, for that is looked at under the same lock.
func (h *Hub) endAll() {
	reason := h.restartReason()
	for i := range h.shards {
		h.shards[i].each(func(c *conn) { c.end(CloseRestarting, reason, true) })
	}
}

// finish waits for the connections and then ends those who served them.
func (h *Hub) finish() {
	h.running.Wait()
	close(h.stop)
	h.poller.stop()
	h.workers.Wait()
	close(h.done)
}

// returnsPerSecond is how many reconnects a second a fresh process should get.
const returnsPerSecond = 1000

// spread is over how long clients should spread their return: long enough for
// that rate, 1 s to 60 s.
func (h *Hub) spread() time.Duration {
	if fixed := h.spreadFor.Load(); fixed != 0 {
		return time.Duration(fixed)
	}
	seconds := 1 + h.stats.conns.Load()/returnsPerSecond
	return time.Duration(min(seconds, 60)) * time.Second
}

func (h *Hub) restartReason() string {
	return fmt.Sprintf("restarting; spreadMs=%d", h.spread().Milliseconds())
}
