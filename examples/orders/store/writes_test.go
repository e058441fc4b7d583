package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLockWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Store{Dialect: SQLite, writes: make(chan struct{}, 1)}
		unlock, err := s.LockWrites(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var order []int
		for i := range 10 {
			go func() {
				unlock, err := s.LockWrites(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, i)
				unlock()
			}()
			synctest.Wait() // it stands in line
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.LockWrites(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a request that has ended: got %v", err)
		}
		unlock()
		synctest.Wait()
		for i, got := range order {
			if i != got || len(order) != 10 {
				t.Fatalf("got the order %v", order)
			}
		}

		unlock, err = s.LockWrites(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now()
		if _, err := s.LockWrites(t.Context()); !errors.Is(err, ErrOverloaded) || time.Since(at) != busyTimeout {
			t.Errorf("after %v got %v, want ErrOverloaded after %v", time.Since(at), err, busyTimeout)
		}
		unlock()
		if unlock, err = s.LockWrites(t.Context()); err != nil {
			t.Fatalf("later: %v", err)
		}
		unlock()
	})
}

func TestLockWritesOfPostgreSQL(t *testing.T) {
	s := &Store{Dialect: PostgreSQL}
	for range 2 { // nobody waits for anybody
		if _, err := s.LockWrites(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// Nobody else on the machine reads the key that signs tokens.
func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "orders.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(name), mode)
		}
	}
}

// Processes that start at once with a new file all get it: SQLite tells some at once that it
// is busy.
func TestOpenAtOnce(t *testing.T) {
	for i := range 100 {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".db"))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				s, err := Open(context.Background(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}
