package jobs

import (
	"context"
	"fmt"

	"github.com/usercast-go/usercast/examples/orders/store"
)

// A writer is the right to write. SQLite lets one connection write at a time, and the
// others sleep and look again, up to a tenth of a second: who sleeps longest may never
// find the door open. Two syncs at once, under the race detector, kept the renewal of
// leases out for seconds in this way. So on SQLite the writers of a runner queue here, in order, and at most one of them
// meets the other connections. A nil writer, on PostgreSQL, keeps nobody.
type writer chan struct{}

func newWriter(d store.Dialect) writer {
	if d != store.SQLite {
		return nil
	}
	return make(writer, 1)
}

func (w writer) take(ctx context.Context) error {
	if w == nil {
		return nil
	}
	select {
	case w <- struct{}{}: // goroutines that wait to send are served in order
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jobs: waiting to write: %w", context.Cause(ctx))
	}
}

func (w writer) give() {
	if w != nil {
		<-w
	}
}

// write runs a statement on the database itself and returns how many rows it met.
func (r *Runner) write(ctx context.Context, query string, args ...any) (int64, error) {
	if err := r.writer.take(ctx); err != nil {
		return 0, err
	}
	defer r.writer.give()
	return execCount(ctx, r.cfg.Store.DB, query, args...)
}
