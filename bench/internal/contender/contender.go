// Package contender knows who is measured: how each server is built and started, and which protocol it speaks.
package contender

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usercast-go/usercast/bench/internal/dialect"
)

// Baseline is the contender that all others are compared with.
const Baseline = "usercast"

// Contender is one server under test.
type Contender struct {
	Name    string // on the command line and in the tables
	Title   string // with what the tables explain
	Module  string // Go module or npm package under test
	Dialect dialect.Dialect
	Keeps   bool // events of absent users, to replay them
	Node    bool // runs in Node

	// A variant of another contender names its server, the flags that make the difference, and the only scenarios in
	// which they do.
	Server string
	Flags  []string
	Only   []string

	// Version is known after Prepare.
	Version string

	command []string
}

// All lists the contenders in the order of the tables.
func All() []*Contender {
	return []*Contender{
		{Name: Baseline, Title: "usercast, everything on", Module: "github.com/usercast-go/usercast", Dialect: dialect.Usercast{}, Keeps: true},
		{Name: "gws", Title: "lxzan/gws, Broadcaster", Module: "github.com/lxzan/gws", Dialect: dialect.Plain{}},
		{Name: "coder", Title: "coder/websocket, goroutine and channel per connection", Module: "github.com/coder/websocket", Dialect: dialect.Plain{}},
		{Name: "melody", Title: "olahol/melody, with an index of users", Module: "github.com/olahol/melody", Dialect: dialect.Plain{}},
		{Name: "centrifuge", Title: "centrifugal/centrifuge, personal channel, history 200 / 5 min, recovery", Module: "github.com/centrifugal/centrifuge", Dialect: dialect.Centrifuge{}, Keeps: true},
		{Name: "uws", Title: "µWebSockets.js, topic per user", Module: "uwebsockets", Dialect: dialect.Plain{}, Node: true},
		{Name: "uws-burst", Title: "µWebSockets.js, many events of a user in one turn of its event loop", Module: "uwebsockets", Dialect: dialect.Plain{}, Node: true,
			Server: "uws", Flags: []string{"-turn=window"}, Only: []string{"saturated", "window"}},
		{Name: "ws", Title: "ws, buffer of 200 events per user", Module: "ws", Dialect: dialect.WS{}, Keeps: true, Node: true},
		{Name: "socketio", Title: "Socket.IO, connection state recovery", Module: "socket.io", Dialect: dialect.SocketIO{}, Keeps: true, Node: true},
	}
}

// Select returns the contenders with the given names, or all of them.
func Select(names []string) ([]*Contender, error) {
	all := All()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []*Contender
	for _, name := range names {
		i := slices.IndexFunc(all, func(c *Contender) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no contender is called %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// nodeDir is where the Node servers live, from the module's root.
const nodeDir = "servers/node"

// Prepare builds the server into dir, or installs its packages, and finds out its version. The working directory is
// the root of the bench module.
func (c *Contender) Prepare(dir string) error {
	if c.Node {
		return c.prepareNode()
	}
	binary := filepath.Join(dir, c.Name)
	build := exec.Command("go", "build", "-o", binary, "./servers/"+c.server())
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%s does not build: %w\n%s", c.Name, err, out)
	}
	c.command = []string{binary}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return err
	}
	for _, dep := range info.Deps {
		if dep.Path == c.Module {
			c.Version = dep.Version
		}
	}
	if c.Name == Baseline {
		c.Version = commit()
	}
	return nil
}

func (c *Contender) prepareNode() error {
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("%s needs node: %w", c.Name, err)
	}
	manifest := filepath.Join(nodeDir, "node_modules", c.Module, "package.json")
	if _, err := os.Stat(manifest); err != nil {
		install := exec.Command("npm", "ci", "--no-audit", "--no-fund")
		install.Dir = nodeDir
		if out, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	var pkg struct{ Version string }
	if err := json.Unmarshal(text, &pkg); err != nil {
		return err
	}
	c.Version = pkg.Version
	c.command = []string{node, "--expose-gc", filepath.Join(nodeDir, c.server()+".js")}
	return nil
}

// Command returns a fresh command that starts the server with the given flags.
func (c *Contender) Command(flags ...string) *exec.Cmd {
	args := slices.Concat(c.command[1:], c.Flags, flags)
	return exec.Command(c.command[0], args...)
}

// TakesPart tells whether the contender has something to show in the scenario.
func (c *Contender) TakesPart(scenario string) bool {
	return c.Only == nil || slices.Contains(c.Only, scenario)
}

func (c *Contender) server() string {
	if c.Server != "" {
		return c.Server
	}
	return c.Name
}

// commit names the state of the working tree, for usercast is measured from source.
func commit() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--tags").Output()
	if err != nil {
		return "from source"
	}
	return strings.TrimSpace(string(out))
}
