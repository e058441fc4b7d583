package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// startTimeout bounds how long a server may take to listen, stopTimeout how long it may take to leave.
const (
	startTimeout = 20 * time.Second
	stopTimeout  = 3 * time.Second
)

// Process is a running server under test. Its methods may be called from several goroutines.
type Process struct {
	Port int // on 127.0.0.1

	cmd   *exec.Cmd
	stdin io.WriteCloser
	done  chan struct{} // closed when the server's output has ended

	mu      sync.Mutex // guards all below, and writes to stdin
	lastID  int64
	pending map[int64]chan Reply
}

// Start runs a server and waits until it listens. What it prints to standard error goes to ours.
func Start(cmd *exec.Cmd) (*Process, error) {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, stdin: stdin, done: make(chan struct{}), pending: map[int64]chan Reply{}}
	first := make(chan Reply, 1)
	p.pending[0] = first
	go p.read(stdout)
	select {
	case r, ok := <-first:
		if ok && r.Port != 0 {
			p.Port = r.Port
			return p, nil
		}
		err = errors.New("the server ended before it listened")
	case <-time.After(startTimeout):
		err = errors.New("the server does not listen")
	}
	p.Stop()
	return nil, err
}

// Begin sends a command and returns where its reply will arrive; the channel is closed without one if the server ends.
func (p *Process) Begin(c Command) <-chan Reply {
	reply := make(chan Reply, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastID++
	c.ID = p.lastID
	if p.pending == nil || p.send(c) != nil {
		close(reply)
		return reply
	}
	p.pending[c.ID] = reply
	return reply
}

// Call sends a command and waits for its reply.
func (p *Process) Call(c Command, timeout time.Duration) (Reply, error) {
	select {
	case r, ok := <-p.Begin(c):
		if !ok {
			return Reply{}, fmt.Errorf("%s: the server has ended", c.Op)
		}
		if r.Error != "" {
			return r, fmt.Errorf("%s: %s", c.Op, r.Error)
		}
		return r, nil
	case <-time.After(timeout):
		return Reply{}, fmt.Errorf("%s: no reply within %v", c.Op, timeout)
	}
}

// Ack tells the server that every device has received the round.
func (p *Process) Ack(round int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.send(Command{Op: OpAck, Round: round}) // a server that has ended shows in the reply it owes
}

// Stop ends the server: it leaves when its standard input ends, and is killed when it does not.
func (p *Process) Stop() {
	p.stdin.Close()
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.cmd.Process.Kill()
		<-p.done
	}
	_ = p.cmd.Wait() // how it ended does not matter any more
}

func (p *Process) send(c Command) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = p.stdin.Write(append(line, '\n'))
	return err
}

func (p *Process) read(stdout io.Reader) {
	defer close(p.done)
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		var r Reply
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			fmt.Fprintf(os.Stderr, "not a reply: %s\n", lines.Bytes())
			continue
		}
		p.mu.Lock()
		reply := p.pending[r.ID]
		delete(p.pending, r.ID)
		p.mu.Unlock()
		if reply != nil {
			reply <- r
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, reply := range p.pending {
		close(reply)
	}
	p.pending = nil
}
