// Package storetest runs tests on both databases: a file of SQLite, and a PostgreSQL
// server that a package's tests start once.
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, s *store.Store) { … })
//	}
package storetest

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/usercast-go/usercast/emit/dbtest/pgtest"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var cluster struct {
	sync.Mutex
	*pgtest.Cluster
}

// Main runs the tests of a package, and ends the PostgreSQL server that they have started.
func Main(m *testing.M) int {
	defer func() {
		if cluster.Cluster != nil {
			cluster.Stop() //nolint:errcheck // its data is gone in any case
		}
	}()
	return m.Run()
}

// Each runs a test once on each database, with an empty store, which ends with the test.
// Without a PostgreSQL server on the machine the test fails: it does not skip.
func Each(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	for _, d := range []store.Dialect{store.SQLite, store.PostgreSQL} {
		t.Run(string(d), func(t *testing.T) { test(t, Open(t, DSN(t, d))) })
	}
}

// DSN returns the name of an empty database, for tests that open it more than once.
func DSN(t *testing.T, d store.Dialect) string {
	t.Helper()
	if d == store.SQLite {
		return filepath.Join(t.TempDir(), "orders.db")
	}
	cluster.Lock()
	defer cluster.Unlock()
	if cluster.Cluster == nil {
		c, err := pgtest.Start(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		cluster.Cluster = c
	}
	return cluster.Database(t)
}

// Open opens a store, which is closed with the test.
func Open(t *testing.T, dsn string) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// User makes a user without any data.
func User(t *testing.T, s *store.Store, name string) {
	t.Helper()
	if _, err := store.AddUser(context.Background(), s.DB, name); err != nil {
		t.Fatal(err)
	}
}
