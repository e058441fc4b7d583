package erp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test binary is also the simulator, and a server that starts one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "erp":
			os.Exit(Main(os.Args[2:]))
		case "server":
			p, err := Start(context.Background(), StartConfig{})
			fmt.Println(p.URL(), err)
			select {}
		}
	}
	os.Exit(m.Run())
}

func TestProcess(t *testing.T) {
	p, err := Start(t.Context(), StartConfig{Config: Config{Seed: 2, Latency: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := NewClient(p.URL())
	defer c.Close()
	if err := c.Screen(t.Context(), session("")); err != nil {
		t.Error(err)
	}
	hung := make(chan error, 1)
	go func() { hung <- c.Screen(t.Context(), session("#hang")) }()
	for range 2 {
		if err := p.Close(); err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	if err := <-hung; !errors.Is(err, ErrUnavailable) {
		t.Errorf("a call that hung: got %v", err)
	}
	select {
	case <-p.Exited():
	default:
		t.Error("it is closed and has not exited")
	}
}

// A simulator does not outlive a server that is killed.
func TestProcessDiesWithItsServer(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(exe, "server")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	url, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	if err != nil || rest != "<nil>" {
		t.Fatalf("the server said %q, %v", line, err)
	}
	if resp, err := http.Get(url); err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
	}
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get(url)
		if err != nil {
			return
		}
		resp.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("it still answers a minute after its server was killed")
		}
	}
}

func TestStartRefuses(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, test := range map[string]struct {
		ctx  context.Context
		cfg  StartConfig
		want string
	}{
		"no such program":  {t.Context(), StartConfig{Executable: "/nowhere"}, "/nowhere"},
		"another program":  {t.Context(), StartConfig{Executable: "/bin/echo"}, `said "erp -seed=0`},
		"one that says no": {t.Context(), StartConfig{Executable: "/bin/false"}, "exit status 1"},
		"a wrong config":   {t.Context(), StartConfig{Config: Config{Failures: 2}}, "Config.Failures"},
		"no time":          {ended, StartConfig{Executable: "/bin/cat"}, "context canceled"},
	} {
		test.cfg.Stderr = io.Discard
		p, err := Start(test.ctx, test.cfg)
		if err == nil {
			p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want one that says %q", what, err, test.want)
		}
	}
	if got := Main([]string{"-latency", "nonsense"}); got != 2 {
		t.Errorf("a wrong flag: exit code %d, want 2", got)
	}
	if got := Main([]string{"-failures", "2"}); got != 1 {
		t.Errorf("a wrong value: exit code %d, want 1", got)
	}
}
