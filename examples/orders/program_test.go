package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/usercast-go/usercast/client"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// A program is the program, as a process of its own.
type program struct {
	*testing.T
	url  string
	cmd  *exec.Cmd
	http *http.Client // with the session's cookie
}

// patience bounds every wait, in a test that fails.
const patience = time.Minute

// start starts the program and waits until it is ready.
func start(t *testing.T, env []string, args ...string) *program {
	t.Helper()
	p := &program{T: t, cmd: exec.Command(os.Args[0], args...), http: &http.Client{Jar: newJar(t), Timeout: patience}}
	p.cmd.Env = append(append(os.Environ(), asProgram+"=1"), env...)
	p.cmd.Stderr = os.Stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	in := bufio.NewScanner(stdout)
	if !in.Scan() {
		t.Fatalf("the program said nothing: %v", in.Err())
	}
	var ok bool
	if p.url, ok = strings.CutPrefix(in.Text(), "orders: open "); !ok {
		t.Fatalf("the program said %q", in.Text())
	}
	return p
}

// kill ends it as kill -9 does.
func (p *program) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop ends it as its operator does.
func (p *program) stop() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
	force := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer force.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.Errorf("the program ended with %v", err)
	}
}

// stopBesideHalfARequest stops it while somebody is in the middle of sending a request: it
// ends all the same, and gives its jobs back, or it would say that it could not.
func (p *program) stopBesideHalfARequest() {
	p.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("POST /api/login HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n")); err != nil {
		p.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 10)); err != nil { // "100 Continue": its handler waits for the body
		p.Fatal(err)
	}
	p.stop()
}

// call sends a request and reads the answer into v.
func (p *program) call(token, method, path, body string, v any) int {
	p.Helper()
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := p.http.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	if v != nil && resp.StatusCode < 400 {
		if err := json.Unmarshal(text, v); err != nil {
			p.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return resp.StatusCode
}

type grant struct{ User, Token string }

func (p *program) login(user string) string {
	p.Helper()
	var g grant
	if status := p.call("", "POST", "/api/login", `{"user":"`+user+`"}`, &g); status != 200 || g.User != user {
		p.Fatalf("login: got %d, %+v", status, g)
	}
	return g.Token
}

// A listener is a device that hears everything.
type listener struct {
	*testing.T
	events chan client.Event
	gaps   chan client.Gap
}

// listen connects a device, for as long as the test runs: to a program at the same
// address after a restart too. It renews its token by the session of p.
func (p *program) listen() *listener {
	p.Helper()
	l := &listener{p.T, make(chan client.Event, 10_000), make(chan client.Gap, 100)}
	c, err := client.New(client.Config{
		URL: strings.Replace(p.url, "http", "ws", 1) + "/ws",
		Token: func(ctx context.Context, _ client.TokenReason) (string, error) {
			r, err := http.NewRequestWithContext(ctx, "POST", p.url+"/api/token", nil)
			if err != nil {
				return "", err
			}
			resp, err := p.http.Do(r)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			var g grant
			if resp.StatusCode != 200 {
				return "", fmt.Errorf("no token: %s", resp.Status)
			}
			return g.Token, json.NewDecoder(resp.Body).Decode(&g)
		},
		OnGap: func(g client.Gap) { l.gaps <- g },
	})
	if err != nil {
		p.Fatal(err)
	}
	c.On("*", func(ev client.Event) { l.events <- ev })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	p.Cleanup(func() { cancel(); running.Wait() })
	return l
}

// until waits for an event of a type and returns what came on the way, and it.
func (l *listener) until(typ string) (came []client.Event) {
	l.Helper()
	timeout := time.After(patience)
	for {
		select {
		case ev := <-l.events:
			if came = append(came, ev); ev.Type == typ {
				return came
			}
		case <-timeout:
			var types []string
			for _, ev := range came {
				types = append(types, ev.Type)
			}
			l.Fatalf("no %s, but %v", typ, types)
		}
	}
}

// place is where a database is, as flags of the program.
func place(t *testing.T, d store.Dialect) []string {
	t.Helper()
	if d == store.SQLite {
		return []string{"-data", filepath.Join(t.TempDir(), "kept")}
	}
	// The test's server says host='/tmp/…' user=… dbname=…; a URL says the same so.
	parts := map[string]string{}
	for _, field := range strings.Fields(storetest.DSN(t, d)) {
		name, value, _ := strings.Cut(field, "=")
		parts[name] = strings.Trim(value, "'")
	}
	u := url.URL{Scheme: "postgres", User: url.User(parts["user"]), Path: "/" + parts["dbname"], RawQuery: url.Values{"host": {parts["host"]}, "sslmode": {"disable"}}.Encode()}
	return []string{"-dsn", u.String()}
}

// freeAddr is an address that nobody listens on: a program that is to come back there
// cannot take port 0.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

type job struct{ ID, Type, Status string }

// A program that ends in the middle of a job, well or not, finds the job when it is
// back: the device comes back too, by its session, hears of a gap, and then one end.
func TestEndsInTheMiddleOfAJob(t *testing.T) {
	for name, end := range map[string]func(p *program){
		"killed": (*program).kill, "stopped": (*program).stop, "stopped beside half a request": (*program).stopBesideHalfARequest,
	} {
		for _, d := range []store.Dialect{store.SQLite, store.PostgreSQL} {
			t.Run(fmt.Sprint(name, "/", d), func(t *testing.T) {
				args := append(place(t, d), "-addr", freeAddr(t), "-erp-latency", "100ms", "-erp-failures", "0")
				p := start(t, nil, args...)
				token := p.login("anna")
				device := p.listen()
				var queued struct{ JobID string }
				if status := p.call(token, "POST", "/api/syncs/prices", "{}", &queued); status != 202 {
					t.Fatalf("got %d", status)
				}
				device.until("SYNC_PROGRESS")
				end(p)

				again := start(t, nil, args...)
				if again.url != p.url {
					t.Fatalf("it is at %s, and was at %s", again.url, p.url)
				}
				came := device.until("SYNC_COMPLETED")
				came = append(came, device.until("JOB_COMPLETED")...)
				ends := 0
				for _, ev := range came {
					switch ev.Type {
					case "JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELLED":
						ends++
					}
				}
				if ends != 1 {
					t.Errorf("the job ended %d times", ends)
				}
				select {
				case g := <-device.gaps:
					if g.Reason != "restarted" {
						t.Errorf("got the gap %+v", g)
					}
				case <-time.After(patience):
					t.Error("no gap was told")
				}
				var jobs []job
				// The first token is as good as before: the database keeps the key.
				if status := again.call(token, "GET", "/api/jobs", "", &jobs); status != 200 || len(jobs) != 1 || jobs[0] != (job{queued.JobID, "syncPrices", "completed"}) {
					t.Errorf("got %d, %+v", status, jobs)
				}
				again.stop()
			})
		}
	}
}

// An order goes its way, from one device to the user's other one and to nobody else's.
func TestProgram(t *testing.T) {
	tmp := t.TempDir()
	p := start(t, []string{"TMPDIR=" + tmp, "ORDERS_ADMIN_TOKEN=operators-only-operators-only-00"},
		"-addr", "127.0.0.1:0", "-erp-latency", "0", "-erp-failures", "0")
	if left, _ := os.ReadDir(tmp); len(left) != 1 {
		t.Errorf("%s has %v, want the database's directory", tmp, left)
	}
	stranger := &program{T: t, url: p.url, http: &http.Client{Jar: newJar(t), Timeout: patience}}
	stranger.login("bruno")
	his := stranger.listen()
	token := p.login("anna")
	device := p.listen()
	var orders []struct{ ID, CustomerName string }
	p.call(token, "GET", "/api/orders", "", &orders)
	if len(orders) != 12 {
		t.Fatalf("got %d orders", len(orders))
	}
	if status := p.call(token, "POST", "/api/orders/"+orders[0].ID+"/submit", "", nil); status != 202 {
		t.Fatalf("got %d", status)
	}
	seen := map[string]bool{}
	for _, ev := range device.until("JOB_COMPLETED") {
		seen[ev.Type] = true
	}
	for _, typ := range []string{"PENDING_UPDATED", "JOB_QUEUED", "JOB_STARTED", "PENDING_SUBMITTED", "ORDER_NUMBERS_RESOLVED", "NOTIFICATION_NEW"} {
		if !seen[typ] {
			t.Errorf("no %s; got %v", typ, seen)
		}
	}
	select {
	case ev := <-his.events:
		t.Errorf("bruno heard %+v", ev)
	default:
	}
	for path, want := range map[string]int{"/": 200, "/nothing": 404, "/api/nothing": 404, "/admin/usercast/stats": 401} {
		if got := p.call("", "GET", path, "", nil); got != want {
			t.Errorf("GET %s: got %d, want %d", path, got, want)
		}
	}
	if got := p.call("operators-only-operators-only-00", "GET", "/admin/usercast/stats", "", nil); got != 200 {
		t.Errorf("operators get %d", got)
	}
	p.stop()
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("%v is left in %s", left, tmp)
	}
}

func newJar(t *testing.T) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return jar
}

// What keeps the program from starting is told, and leaves nothing behind.
func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for word, args := range map[string][]string{
		"in use": {"-addr", taken.Addr().String()},
		"-data":  {"-data", file + "/x"},
		"5432x":  {"-dsn", "postgres://127.0.0.1:5432x/y"},
	} {
		tmp := t.TempDir()
		cmd := exec.Command(os.Args[0], args...)
		cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+tmp)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), word) {
			t.Errorf("%v: got %v, %s", args, err, out)
		}
		if left, _ := os.ReadDir(tmp); len(left) != 0 {
			t.Errorf("%v: %v is left", args, left)
		}
	}
}
