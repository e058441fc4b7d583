package emit

import (
	"context"
	"fmt"
	"testing"

	"github.com/usercast-go/usercast"
)

// noTx is a database that does nothing, and nowhere a hub that does nothing: what remains is
// the cost of an outbox and of its place in line.
type noTx struct{}

func (noTx) Commit(context.Context) error   { return nil }
func (noTx) Rollback(context.Context) error { return nil }

func beginNothing(context.Context) (noTx, error) { return noTx{}, nil }

type nowhere struct{ _ int }

func (*nowhere) Broadcast(string, usercast.Event) error                        { return nil }
func (*nowhere) BroadcastMany(context.Context, []string, usercast.Event) error { return nil }

func BenchmarkTx(b *testing.B) {
	users := make([]string, 10_000)
	for i := range users {
		users[i] = fmt.Sprint("user-", i)
	}
	ctx, to, ev := context.Background(), new(nowhere), event("A", 1)
	bench := func(name string, emit func(i int, out *Outbox) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i++
				err := TxWith(ctx, beginNothing, to, nil, func(_ noTx, out *Outbox) error { return emit(i, out) })
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("one event", func(_ int, out *Outbox) error { return out.Broadcast("alice", ev) })
	bench("one event, other users", func(i int, out *Outbox) error { return out.Broadcast(users[i%len(users)], ev) })
	for _, n := range []int{10, 10_000} {
		bench(fmt.Sprintf("an event for %d users", n), func(_ int, out *Outbox) error { return out.BroadcastMany(ctx, users[:n], ev) })
	}
}
