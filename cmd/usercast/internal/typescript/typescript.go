// Package typescript turns the JSON Schema of an application's events into
// TypeScript. The work is done by json-schema-to-typescript, which is embedded as
// one file and run by the user's Node.js.
package typescript

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// converter is built from js/typegen, by its build.mjs.
//
//go:embed convert.gen.mjs
var converter []byte

// An Input is what the converter reads.
type Input struct {
	Schema  json.RawMessage `json:"schema"` // of package schema
	Events  []Event         `json:"events"` // in the order of the output
	Header  string          `json:"header"` // the first lines: a comment
	Classes bool            `json:"classes"`
}

// An Event is what the schema does not say of one.
type Event struct {
	Name  string `json:"name"`
	Class string `json:"class"`
	Keyed bool   `json:"keyed,omitempty"`
}

// ErrNoNode means that node is not there to be run.
var ErrNoNode = errors.New("writing TypeScript needs Node.js, which was not found: " +
	"install version 18 or newer, or name its program by --node")

// Generate returns the TypeScript. node is the program to run, "node" for the one
// in PATH. It ends with ctx.
func Generate(ctx context.Context, node string, in Input) ([]byte, error) {
	path, err := exec.LookPath(node)
	if err != nil {
		return nil, fmt.Errorf("%w (%v)", ErrNoNode, err)
	}
	input, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "usercast-typescript-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "convert.mjs")
	if err := os.WriteFile(script, converter, 0o600); err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, script)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%s, which was to write TypeScript: %v\n%s", path, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}
