package emit_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// PendingOrders is the payload of the events in these examples.
type PendingOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

var PendingCreated = usercast.Define[PendingOrders]("EXAMPLE_PENDING_CREATED", usercast.Buffered)

func pending(ids ...string) PendingOrders { return PendingOrders{ids, len(ids)} }

// hub stands for a *usercast.Hub: it prints what it is sent.
type printer struct{}

func (printer) Broadcast(user string, ev usercast.Event) error {
	fmt.Printf("sent to %s: %s %s\n", user, ev.Type, ev.Payload)
	return nil
}

var hub printer

// quiet keeps the examples' output their own.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// database stands for a database: it prints how transactions end.
type database struct{}

func (database) Connect(context.Context) (driver.Conn, error) { return database{}, nil }
func (database) Driver() driver.Driver                        { return nil }
func (database) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }
func (database) Begin() (driver.Tx, error)                    { return database{}, nil }
func (database) Close() error                                 { return nil }
func (database) Commit() error                                { fmt.Println("committed"); return nil }
func (database) Rollback() error                              { fmt.Println("rolled back"); return nil }
func (database) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return driver.RowsAffected(1), nil
}

var db = sql.OpenDB(database{})

// The event is sent once the order is committed, or not at all.
func ExampleTx() {
	ctx := context.Background()
	create := func(id string) error {
		return emit.Tx(ctx, db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			if err := PendingCreated.Broadcast(out, "alice", pending(id)); err != nil {
				return err
			}
			if id == "bad" {
				return errors.New("no such article")
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO orders (id) VALUES ($1)", id)
			return err
		})
	}
	fmt.Println(create("o1"))
	fmt.Println(create("bad"))
	// Output:
	// committed
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// <nil>
	// rolled back
	// no such article
}

// A transaction that meets another is tried again, with a new outbox.
func ExampleTxOptions() {
	attempts := 0
	err := emit.Tx(context.Background(), db, hub, &emit.TxOptions{
		Isolation: sql.LevelDefault, // sql.LevelSerializable, where the database has it
		Retry:     emit.Conflict,
	}, func(tx *sql.Tx, out *emit.Outbox) error {
		attempts++
		PendingCreated.Broadcast(out, "alice", pending(fmt.Sprint("attempt ", attempts)))
		if attempts == 1 {
			return serializationFailure{}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// rolled back
	// committed
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["attempt 2"],"count":1}
	// <nil>
}

// serializationFailure is an error as a driver returns it.
type serializationFailure struct{}

func (serializationFailure) Error() string    { return "could not serialize access" }
func (serializationFailure) SQLState() string { return "40001" }

// Which errors are worth another attempt.
func ExampleConflict() {
	fmt.Println(emit.Conflict(fmt.Errorf("update: %w", serializationFailure{})))
	fmt.Println(emit.Conflict(errors.New("no such article")))
	// Output:
	// true
	// false
}

// A transaction that is not database/sql's, such as pgx's: with a *pgxpool.Pool
// begin is pool.Begin, and the function gets a pgx.Tx.
func ExampleTxWith() {
	begin := func(context.Context) (transaction, error) { return transaction{}, nil }
	err := emit.TxWith(context.Background(), begin, hub, nil, func(tx transaction, out *emit.Outbox) error {
		return PendingCreated.Broadcast(out, "alice", pending("o1"))
	})
	fmt.Println(err)
	// Output:
	// committed
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// <nil>
}

type transaction struct{ database }

func (tx transaction) Commit(context.Context) error   { return tx.database.Commit() }
func (tx transaction) Rollback(context.Context) error { return tx.database.Rollback() }

// One row of an import fails: its event goes, and the others stay.
func ExampleSavepoint() {
	ctx := context.Background()
	err := emit.Tx(ctx, db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		for _, id := range []string{"o1", "bad", "o3"} {
			err := emit.Savepoint(ctx, tx, out, func(out *emit.Outbox) error {
				PendingCreated.Broadcast(out, "alice", pending(id))
				if id == "bad" {
					return errors.New("no such article")
				}
				return nil
			})
			if err != nil {
				fmt.Println(id+":", err)
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// bad: no such article
	// committed
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o3"],"count":1}
	// <nil>
}

// With transactions of some other library's, flush after its commit.
func ExampleOutbox() {
	out := emit.NewOutbox(hub, emit.OutboxConfig{MaxEvents: 100, Logger: quiet})
	PendingCreated.Broadcast(out, "alice", pending("o1"))
	fmt.Println("waiting:", out.Len())
	// … commit …
	out.Flush()
	PendingCreated.Broadcast(out, "alice", pending("o2"))
	// … roll back …
	out.Discard()
	fmt.Println("waiting:", out.Len())
	// Output:
	// waiting: 1
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// waiting: 0
}

// What is wrong with an event is known when it is collected, and is no harm to others.
func ExampleOutbox_Broadcast_errors() {
	out := emit.NewOutbox(hub, emit.OutboxConfig{MaxEvents: 1, Logger: quiet})
	fmt.Println(out.Broadcast("", usercast.Event{Type: "NAME"}))
	fmt.Println(out.Broadcast("alice", usercast.Event{Type: "NAME", Payload: "caf\xe9"}))
	fmt.Println(out.Broadcast("alice", usercast.Event{Type: "NAME", Payload: "café"}))
	fmt.Println(errors.Is(out.Broadcast("alice", usercast.Event{Type: "NAME"}), emit.ErrFull))
	out.Flush()
	// Output:
	// usercast: invalid user ID: it is empty
	// usercast: payload cannot be sent: NAME: a string in it is not UTF-8
	// <nil>
	// true
	// sent to alice: NAME "café"
}

// A handler emits when it likes; the event goes after its response, if that is no error.
func ExampleMiddleware() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		PendingCreated.Broadcast(emit.From(r.Context()), "alice", pending(r.PathValue("id")))
		if r.PathValue("id") == "bad" {
			http.Error(w, "no such article", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	handler := emit.Middleware(hub)(mux)
	for _, path := range []string{"/orders/o1", "/orders/bad"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		fmt.Println(w.Code)
	}
	// Output:
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// 201
	// 400
}

// What was committed is told, even if the request fails afterwards.
func ExampleMiddleware_committed() {
	handler := emit.OutboxConfig{Logger: quiet}.Middleware(hub)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		emit.Tx(r.Context(), db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
			return PendingCreated.Broadcast(out, "alice", pending("o1"))
		})
		http.Error(w, "the printer is on fire", http.StatusInternalServerError)
	}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/orders", nil))
	fmt.Println(w.Code)
	// Output:
	// committed
	// sent to alice: EXAMPLE_PENDING_CREATED {"orderIds":["o1"],"count":1}
	// 500
}

// A forgotten middleware is an error that says so, and nothing worse.
func ExampleFrom() {
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(quiet) // it is logged, too
	fmt.Println(emit.From(context.Background()).Broadcast("alice", usercast.Event{Type: "NAME"}))
	// Output: emit: no outbox: wrap the handler in emit.Middleware, or put one into the context by emit.WithOutbox
}

// Code that knows nothing but its context emits with the transaction.
func ExampleWithOutbox() {
	audit := func(ctx context.Context) {
		emit.From(ctx).Broadcast("alice", usercast.Event{Type: "AUDITED"})
	}
	emit.Tx(context.Background(), db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
		audit(emit.WithOutbox(context.Background(), out))
		return nil
	})
	// Output:
	// committed
	// sent to alice: AUDITED null
}

// What became of events, for a dashboard.
func ExampleCounters() {
	before := emit.Counters()
	out := emit.NewOutbox(hub, emit.OutboxConfig{Logger: quiet})
	out.Broadcast("", usercast.Event{Type: "NAME"})
	out.Broadcast("alice", usercast.Event{Type: "NAME"})
	out.Flush()
	after := emit.Counters()
	fmt.Println("sent:", after.Sent-before.Sent, "refused:", after.Refused-before.Refused)
	// Output:
	// sent to alice: NAME null
	// sent: 1 refused: 1
}
