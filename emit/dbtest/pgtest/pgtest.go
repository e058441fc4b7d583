// Package pgtest starts a PostgreSQL server for tests: one of its own, empty, on a
// socket in a temporary directory, gone when the tests are.
package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// debianBin is where Debian and its like keep the programs of each version, which
// are in nobody's PATH.
const debianBin = "/usr/lib/postgresql/*/bin"

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 20 * time.Second
	// role owns everything; no password, as nobody else reaches the socket.
	role = "usercast"
)

// ErrMissing means that PostgreSQL is not installed; the text says what installs it.
var ErrMissing = errors.New("pgtest: no PostgreSQL server here")

// A Cluster is a running server. Its methods are safe for concurrent use.
type Cluster struct {
	bin     string
	dir     string // data, socket
	account *account
	cmd     *exec.Cmd
	log     tail
	exited  chan struct{}
	exitErr error // once exited is closed

	mu        sync.Mutex
	databases int
}

// Start makes a new cluster and starts it; Stop ends it. That takes a second or two,
// so a package starts one for all its tests, in TestMain. On Linux the server ends with
// the process that started it, however that ends.
//
// root may not run PostgreSQL, so for root it runs as the user postgres or nobody.
// Without the programs the error wraps [ErrMissing]: a test fails by it and does not
// skip.
func Start(ctx context.Context) (_ *Cluster, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c := &Cluster{exited: make(chan struct{})}
	if c.bin, err = find(debianBin); err != nil {
		return nil, err
	}
	if c.account, err = whoRuns(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(c.dir)
		}
	}()
	if err = c.account.own(c.dir); err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	if err = c.run(ctx, "initdb", "-D", c.data(), "-U", role, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"); err != nil {
		return nil, err
	}
	if err = c.serve(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// find returns the directory of the server's programs: that in PATH, else the newest
// that the pattern matches.
func find(pattern string) (string, error) {
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil {
			return filepath.Dir(p), nil
		}
	}
	best, newest := "", -1.0
	dirs, _ := filepath.Glob(pattern) // the pattern is good
	for _, dir := range dirs {
		version, err := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		if _, missing := os.Stat(filepath.Join(dir, "postgres")); err == nil && missing == nil && version > newest {
			best, newest = dir, version
		}
	}
	if best == "" {
		return "", fmt.Errorf("%w: postgres is neither in PATH nor in %s: apt-get install -y postgresql", ErrMissing, pattern)
	}
	return best, nil
}

// An account is a user of the system as whom the server runs. nil: as ourselves.
type account struct{ uid, gid int }

func whoRuns() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil {
			return &account{uid, gid}, nil
		}
	}
	return nil, errors.New("pgtest: root may not run PostgreSQL, and there is neither a user postgres nor nobody")
}

func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// program returns a command that runs one of the server's programs, until ctx ends.
func (c *Cluster) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=" + os.Getenv("PATH"), "PGHOST=" + c.dir, "PGUSER=" + role}
	cmd.SysProcAttr = attributes(c.account)
	cmd.WaitDelay = stopTimeout // for what holds its output after it has ended
	return cmd
}

// run runs a program to its end.
func (c *Cluster) run(ctx context.Context, name string, args ...string) error {
	// Linux ends a child when the thread that started it does, so the thread stays.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if out, err := c.program(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: %s: %w\n%s", name, errors.Join(err, ctx.Err()), out)
	}
	return nil
}

// serve starts the server and waits until it takes connections.
func (c *Cluster) serve(ctx context.Context) error {
	c.cmd = c.program(context.WithoutCancel(ctx), "postgres", "-D", c.data(), "-c", "listen_addresses=", "-c", "unix_socket_directories="+c.dir,
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "shared_buffers=16MB",
		"-c", "deadlock_timeout=50ms", "-c", "log_min_messages=warning", "-c", "lc_messages=C")
	stderr, err := c.cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	started, ready := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // see run
		defer runtime.UnlockOSThread()
		defer close(c.exited)
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.log.read(stderr, "ready to accept connections", ready) // until it has exited
			c.exitErr = c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	select {
	case <-ready:
		return nil
	case <-c.exited:
		return fmt.Errorf("pgtest: the server ended at once: %v\n%s", c.exitErr, c.log.String())
	case <-ctx.Done():
		c.Stop()
		return fmt.Errorf("pgtest: the server is not ready: %w\n%s", ctx.Err(), c.log.String())
	}
}

// DSN returns the connection string of a database, for pgx and lib/pq.
func (c *Cluster) DSN(database string) string {
	return fmt.Sprintf("host='%s' user=%s dbname=%s sslmode=disable", c.dir, role, database)
}

// Database makes an empty database for one test and returns its connection string.
// It lasts as long as the cluster.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	c.mu.Lock()
	c.databases++
	name := "test" + strconv.Itoa(c.databases)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	// template0 has no connections, ever, so that tests may do this at once.
	if err := c.run(ctx, "createdb", "--template=template0", name); err != nil {
		t.Fatal(err)
	}
	return c.DSN(name)
}

// Log returns the last of what the server has said, for a failure's message.
func (c *Cluster) Log() string { return c.log.String() }

// Stop ends the server, with whatever connections there are, and removes its data.
// It may be called more than once.
func (c *Cluster) Stop() error {
	defer os.RemoveAll(c.dir)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} { // fast, immediate, now
		select {
		case <-c.exited:
			return nil
		default:
		}
		c.cmd.Process.Signal(sig)
		select {
		case <-c.exited:
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return fmt.Errorf("pgtest: the server does not end\n%s", c.log.String())
}

// A tail keeps the last lines of a log.
type tail struct {
	mu    sync.Mutex
	lines []string
}

const tailLines = 50

// read keeps lines until r ends, and closes found at the first that contains mark.
func (l *tail) read(r io.Reader, mark string, found chan<- struct{}) {
	for in := bufio.NewScanner(r); in.Scan(); {
		line := in.Text()
		l.mu.Lock()
		l.lines = append(l.lines, line)
		if len(l.lines) > tailLines {
			l.lines = l.lines[1:]
		}
		l.mu.Unlock()
		if found != nil && strings.Contains(line, mark) {
			close(found)
			found = nil
		}
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}
