package pgtest

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestClusterLivesAndEnds(t *testing.T) {
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	a, b := c.Database(t), c.Database(t)
	if a == b {
		t.Errorf("two tests share the database %s", a)
	}
	socket := filepath.Join(c.dir, ".s.PGSQL.5432")
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := c.run(t.Context(), "psql", "-d", "test1", "-c", "SELECT 1"); err != nil {
		t.Error(err)
	}
	if err := c.run(t.Context(), "psql", "-d", "nowhere", "-c", "SELECT 1"); err == nil || !strings.Contains(err.Error(), `"nowhere" does not exist`) {
		t.Errorf("a program that fails says %v", err)
	}
	if !strings.Contains(c.Log(), `"nowhere" does not exist`) {
		t.Errorf("the log has %q", c.Log())
	}
	for range 2 {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(c.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", c.dir, err)
	}
	if err := c.cmd.Process.Signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("the server runs on: %v", err)
	}
}

// Where PostgreSQL is missing, the error says what to do.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", "")
	dir := t.TempDir()
	_, err := find(filepath.Join(dir, "*/bin"))
	if !errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "apt-get install -y postgresql") {
		t.Errorf("error: %v", err)
	}
	for _, version := range []string{"9.6", "15", "17", "18"} {
		bin := filepath.Join(dir, version, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			t.Fatal(err)
		}
		if version == "18" {
			continue // only its client programs are here
		}
		if err := os.WriteFile(filepath.Join(bin, "postgres"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	got, err := find(filepath.Join(dir, "*/bin"))
	if want := filepath.Join(dir, "17", "bin"); got != want || err != nil {
		t.Errorf("of several versions got %s, %v; want %s", got, err, want)
	}
}

// A server that cannot start says why, and leaves nothing.
func TestStartFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	c, err := Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	second := &Cluster{bin: c.bin, dir: c.dir, account: c.account, exited: make(chan struct{})}
	if err := second.serve(t.Context()); err == nil || !strings.Contains(err.Error(), "lock file") {
		t.Errorf("a second server on the same data: %v", err)
	}
}
