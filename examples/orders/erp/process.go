package erp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 2 * time.Second
)

// StartConfig says how to start the simulator. Its zero value is usable.
type StartConfig struct {
	Config // but for MaxRows and SlowFor, which only a handler has
	// Executable is a program that calls [Main] when its first argument is "erp". "":
	// this one.
	Executable string
	// Stderr is where it complains. nil: [os.Stderr].
	Stderr io.Writer
}

// A Process is a simulator that runs. It is safe for concurrent use.
type Process struct {
	url    string
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
	err    error // once exited is closed
}

// Start starts the simulator and waits until it has said where it listens, for at most
// 10 seconds or until ctx ends. It runs on when ctx ends later: call Close.
func Start(ctx context.Context, cfg StartConfig) (*Process, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	exe := cfg.Executable
	if exe == "" {
		var err error
		if exe, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("erp: StartConfig.Executable: %w", err)
		}
	}
	cmd := exec.Command(exe, "erp", fmt.Sprint("-seed=", cfg.Seed), fmt.Sprint("-latency=", cfg.Latency), fmt.Sprint("-failures=", cfg.Failures))
	if cmd.Stderr = cfg.Stderr; cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("erp: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("erp: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("erp: %w", err)
	}
	p := &Process{cmd: cmd, stdin: stdin, exited: make(chan struct{})}
	line := make(chan string, 1)
	go func() { // ends when the process does
		defer close(p.exited)
		r := bufio.NewReader(io.LimitReader(stdout, 4<<10))
		first, _ := r.ReadString('\n')
		line <- strings.TrimSpace(first)
		io.Copy(io.Discard, stdout)
		p.err = cmd.Wait()
	}()
	timeout := time.NewTimer(startTimeout)
	defer timeout.Stop()
	select {
	case p.url = <-line:
		if strings.HasPrefix(p.url, "http://") {
			return p, nil
		}
		err = fmt.Errorf("erp: the simulator said %q, want its URL: does %s call erp.Main?", p.url, exe)
	case <-ctx.Done():
		err = fmt.Errorf("erp: the simulator is not ready: %w", ctx.Err())
	case <-timeout.C:
		err = fmt.Errorf("erp: the simulator is not ready after %v", startTimeout)
	}
	return nil, errors.Join(err, p.Close())
}

// URL returns where it listens, for [NewClient].
func (p *Process) URL() string { return p.url }

// Exited is closed when the process has ended, by Close or by itself.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Close ends the process and waits for it: 2 seconds by closing its stdin, then by
// force. The error is how it ended, nil if well. It may be called more than once.
func (p *Process) Close() error {
	p.stdin.Close()
	select {
	case <-p.exited:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.exited
	}
	return p.err
}
