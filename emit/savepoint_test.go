package emit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
)

func TestSavepointsDropTheirOwnPart(t *testing.T) {
	ctx, db, to, before := context.Background(), newFakeDB(t), new(listener), Counters()
	err := Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		insert(t, tx, out, "A")
		want(t, "kept", Savepoint(ctx, tx, out, func(out *Outbox) error {
			insert(t, tx, out, "B")
			want(t, "inner", Savepoint(ctx, tx, out, func(out *Outbox) error {
				insert(t, tx, out, "C")
				return errOops
			}), errOops)
			insert(t, tx, out, "D")
			return nil
		}), nil)
		want(t, "dropped", Savepoint(ctx, tx, out, func(out *Outbox) error {
			insert(t, tx, out, "E")
			return Savepoint(ctx, tx, out, func(out *Outbox) error {
				insert(t, tx, out, "F")
				if err := out.Flush(); !errors.Is(err, ErrOpen) {
					t.Errorf("Flush: got %v, want %v", err, ErrOpen)
				}
				out.Discard()
				insert(t, tx, out, "G")
				return errOops
			})
		}), errOops)
		insert(t, tx, out, "H")
		return nil
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice A, alice B, alice D, alice H")
	want(t, "rows", fmt.Sprint(db.committed()), "[A B D H]")
	want(t, "statements", db.statements(), "BEGIN; INSERT A; "+
		"SAVEPOINT usercast_1; INSERT B; SAVEPOINT usercast_2; INSERT C; ROLLBACK TO SAVEPOINT usercast_2; RELEASE SAVEPOINT usercast_2; "+
		"INSERT D; RELEASE SAVEPOINT usercast_1; "+
		"SAVEPOINT usercast_1; INSERT E; SAVEPOINT usercast_2; INSERT F; INSERT G; ROLLBACK TO SAVEPOINT usercast_2; RELEASE SAVEPOINT usercast_2; "+
		"ROLLBACK TO SAVEPOINT usercast_1; RELEASE SAVEPOINT usercast_1; INSERT H; COMMIT")
	want(t, "counted", since(before), Stats{Collected: 8, Sent: 4, Discarded: 4})

	// The whole is rolled back: so are its parts.
	err = Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		Savepoint(ctx, tx, out, func(out *Outbox) error { insert(t, tx, out, "I"); return nil })
		return errOops
	})
	want(t, "error", err, errOops)
	want(t, "sent", to.heard(), "")
}

// A panic ends the savepoint, and whoever recovers may go on; so does a Goexit.
func TestSavepointPanics(t *testing.T) {
	ctx, db, to := context.Background(), newFakeDB(t), new(listener)
	err := Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		for _, end := range []func(){func() { panic("angry") }, runtime.Goexit} {
			panicked, _ := catch(func() error {
				return Savepoint(ctx, tx, out, func(part *Outbox) error { insert(t, tx, part, "A"); end(); return nil })
			})
			if panicked == nil {
				t.Error("it goes no further")
			}
		}
		insert(t, tx, out, "B")
		return nil
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice B")
	want(t, "rows", fmt.Sprint(db.committed()), "[B]")
}

func TestSavepointFails(t *testing.T) {
	ctx := context.Background()
	const open, undo, release = "SAVEPOINT usercast_1", "ROLLBACK TO SAVEPOINT usercast_1", "RELEASE SAVEPOINT usercast_1"
	for name, tc := range map[string]struct {
		failing string // statements, by "; "
		fn      error
		rows    string // "": the transaction fails, too
	}{
		"to begin":                 {open, nil, "[A C]"},
		"to release":               {release, nil, ""}, // also after the rollback
		"to roll back":             {undo, errOops, ""},
		"to release and roll back": {release + "; " + undo, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			db, to := newFakeDB(t), new(listener)
			db.fail = func(stmt string) error {
				for _, s := range strings.Split(tc.failing, "; ") {
					if s == stmt {
						return errOops
					}
				}
				return nil
			}
			err := Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
				insert(t, tx, out, "A")
				if err := Savepoint(ctx, tx, out, func(part *Outbox) error { insert(t, tx, part, "B"); return tc.fn }); !errors.Is(err, errOops) {
					t.Errorf("Savepoint: got %v, want %v", err, errOops)
				}
				insert(t, tx, out, "C")
				return nil // whatever the savepoint said
			})
			if tc.rows == "" {
				if !errors.Is(err, errOops) || !strings.Contains(err.Error(), "could not be undone") {
					t.Errorf("Tx: %v", err)
				}
				want(t, "sent", to.heard(), "")
				want(t, "rows", len(db.committed()), 0)
				return
			}
			want(t, "error", err, nil)
			want(t, "sent", to.heard(), "alice A, alice C")
			want(t, "rows", fmt.Sprint(db.committed()), tc.rows)
		})
	}
}

// What cannot be undone in an inner savepoint can be in the one around it.
func TestSavepointIsCuredByTheOneAround(t *testing.T) {
	ctx, db, to := context.Background(), newFakeDB(t), new(listener)
	db.failOn("ROLLBACK TO SAVEPOINT usercast_2", errOops)
	err := Tx(ctx, db, to, nil, func(tx *sql.Tx, out *Outbox) error {
		err := Savepoint(ctx, tx, out, func(out *Outbox) error {
			insert(t, tx, out, "A")
			Savepoint(ctx, tx, out, func(out *Outbox) error { insert(t, tx, out, "B"); return errOops })
			return nil // swallowed
		})
		if !errors.Is(err, errOops) {
			t.Errorf("outer savepoint: got %v, want %v", err, errOops)
		}
		insert(t, tx, out, "C")
		return nil
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice C")
	want(t, "rows", fmt.Sprint(db.committed()), "[C]")
}

// Parts share the bounds, so that what they hand over always fits.
func TestSavepointSharesTheBounds(t *testing.T) {
	ctx, db, to := context.Background(), newFakeDB(t), new(listener)
	opts := &TxOptions{Outbox: OutboxConfig{MaxEvents: 3, Logger: new(logBuffer).logger()}}
	err := Tx(ctx, db, to, opts, func(tx *sql.Tx, out *Outbox) error {
		out.Broadcast("alice", event("A", nil))
		Savepoint(ctx, tx, out, func(part *Outbox) error {
			part.Broadcast("alice", event("B", nil))
			part.Broadcast("alice", event("C", nil))
			if err := part.Broadcast("alice", event("D", nil)); !errors.Is(err, ErrFull) {
				t.Errorf("fourth of three: %v", err)
			}
			return errOops // which makes room
		})
		return Savepoint(ctx, tx, out, func(part *Outbox) error {
			part.Broadcast("alice", event("E", nil))
			return part.Broadcast("alice", event("F", nil))
		})
	})
	want(t, "error", err, nil)
	want(t, "sent", to.heard(), "alice A, alice E, alice F")
}

// With a transaction of the caller's own.
func TestSavepointInATransactionOfYourOwn(t *testing.T) {
	ctx, db, to := context.Background(), newFakeDB(t), new(listener)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	out := NewOutbox(to, OutboxConfig{})
	insert(t, tx, out, "A")
	Savepoint(ctx, tx, out, func(part *Outbox) error { insert(t, tx, part, "B"); return errOops })
	Savepoint(ctx, tx, out, func(part *Outbox) error { insert(t, tx, part, "C"); return nil })
	want(t, "sent before the commit", to.heard(), "")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	out.Flush()
	want(t, "sent", to.heard(), "alice A, alice C")
	want(t, "rows", fmt.Sprint(db.committed()), "[A C]")
}

// Whatever tree of transactions, savepoints, errors, swallowed errors, panics and
// failing statements: the rows that are there are the events that were sent.
func TestSentIsWhatIsCommitted(t *testing.T) {
	trees := 3000
	if testing.Short() {
		trees = 300
	}
	var rows, lost int
	for seed := range trees {
		g := &grove{t: t, rng: rand.New(rand.NewPCG(uint64(seed), 4)), db: newFakeDB(t), to: new(listener)}
		g.db.fail = g.fail
		for range 3 {
			catch(func() error { return Tx(context.Background(), g.db, g.to, nil, g.grow) })
		}
		g.db.Close()
		var told []string
		for _, r := range g.db.committed() {
			told = append(told, "alice "+r)
		}
		got, wanted := g.to.heard(), strings.Join(told, ", ")
		if got != wanted {
			t.Fatalf("seed %d: sent %q, committed %q, said %s", seed, got, wanted, g.db.statements())
		}
		rows += len(told)
		lost += g.rows - len(told)
	}
	if rows < trees/2 || lost < trees/2 {
		t.Errorf("in %d trees %d rows were committed and %d were not: nothing was tested", trees, rows, lost)
	}
}

// A grove grows random trees of savepoints.
type grove struct {
	t     *testing.T
	rng   *rand.Rand
	db    *fakeDB
	to    *listener
	rows  int
	depth int
}

// fail makes some statements fail, but for INSERTs, which the test checks.
func (g *grove) fail(stmt string) error {
	if !strings.HasPrefix(stmt, "INSERT") && g.rng.IntN(12) == 0 {
		return stateErr("23503") // an answer
	}
	return nil
}

func (g *grove) grow(tx *sql.Tx, out *Outbox) error {
	g.depth++
	defer func() { g.depth-- }()
	for range g.rng.IntN(4) {
		if g.depth < 4 && g.rng.IntN(2) == 0 {
			var err error
			panicked, _ := catch(func() error {
				err = Savepoint(context.Background(), tx, out, func(part *Outbox) error { return g.grow(tx, part) })
				return err
			})
			switch {
			case panicked != nil && g.rng.IntN(2) == 0:
				panic(panicked)
			case err != nil && g.rng.IntN(3) == 0:
				return err
			}
			continue
		}
		g.rows++
		insert(g.t, tx, out, fmt.Sprintf("R%d", g.rows))
	}
	switch g.rng.IntN(8) {
	case 0:
		return errOops
	case 1:
		panic("angry")
	}
	return nil
}
