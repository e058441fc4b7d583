package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/usercast-go/usercast/schema/describe"
)

// folder is where the program seems to lie, in the user's module.
const folder = "usercast-inspect"

// outputVariable tells the program where to write: standard output belongs to the
// packages' initialisation, which may print.
const outputVariable = "USERCAST_INSPECT_OUTPUT"

// An answer is what the program writes.
type answer struct {
	Description *describe.Description
	Error       string // a payload that JSON cannot carry
}

// source is the program, for fmt: import paths of the walk and of usercast, and the
// imports of the targets.
const source = `// Command usercast-inspect is built, run once and forgotten by the usercast command.
package main

import (
	"encoding/json"
	"os"

	describe %q
	usercast %q
%s)

func main() {
	var answer struct {
		Description *describe.Description
		Error       string
	}
	var err error
	if answer.Description, err = describe.Of(usercast.Defined()); err != nil {
		answer.Error = err.Error()
	}
	text, err := json.Marshal(answer)
	if err == nil {
		err = os.WriteFile(os.Getenv(%q), text, 0o600)
	}
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
}
`

// build compiles the program and returns its path. All files are in dir.
func build(ctx context.Context, cfg Config, dir string, at place, targets []*pkg) (string, error) {
	self := path.Join(at.path, folder)
	var imports strings.Builder
	for _, p := range targets {
		fmt.Fprintf(&imports, "\t_ %q\n", p.ImportPath)
	}
	main := fmt.Sprintf(source, path.Join(self, "describe"), usercastPath, imports.String(), outputVariable)
	overlay := map[string]string{}
	place := func(name string, content []byte) error {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		overlay[filepath.Join(at.dir, folder, filepath.FromSlash(name))] = file
		return os.WriteFile(file, content, 0o600)
	}
	if err := place("main.go", []byte(main)); err != nil {
		return "", err
	}
	entries, err := describe.Source.ReadDir(".")
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		content, err := describe.Source.ReadFile(e.Name())
		if err == nil {
			err = place("describe/"+e.Name(), content)
		}
		if err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		return "", err
	}
	overlayFile, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if err := os.WriteFile(overlayFile, text, 0o600); err != nil {
		return "", err
	}
	// Full paths: comments are looked up where Define was called. No stamp of the
	// repository: git may not want to be asked.
	_, err = goCommand(ctx, "build", "-overlay="+overlayFile, "-trimpath=false", "-buildvcs=false", "-tags="+cfg.Tags, "-o", program, self)
	if err != nil && ctx.Err() == nil {
		return "", fmt.Errorf("%s does not compile: %w", names(targets), err)
	}
	return program, err
}

// run runs the program and returns its answer.
func run(ctx context.Context, cfg Config, dir, program string, targets []*pkg) (*describe.Description, error) {
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = time.Minute
	}
	late := fmt.Errorf("%s: its initialisation has not ended after %v: variables and init functions must not wait for anything",
		names(targets), timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	output := filepath.Join(dir, "answer.json")
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = append(os.Environ(), outputVariable+"="+output)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx, err)
		}
		return nil, fmt.Errorf("%s: its initialisation failed: %v\n%s", names(targets), err, strings.TrimSpace(said.String()))
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, fmt.Errorf("%s: its initialisation ended the program\n%s", names(targets), strings.TrimSpace(said.String()))
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return nil, fmt.Errorf("%s: reading its events: %w", names(targets), err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return a.Description, nil
}
