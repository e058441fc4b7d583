package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/usercast-go/usercast/cmd/usercast/internal/inspect"
	"github.com/usercast-go/usercast/schema/describe"
)

// source is the part of a command line that says which packages to look into.
type source struct {
	Packages []string      `arg:"" name:"package" help:"Packages that define events, as the go command takes them: ./internal/events."`
	Tags     string        `help:"Build tags, comma-separated."`
	Timeout  time.Duration `default:"1m" help:"How long the packages' initialisation may take."`
}

func (s source) describe(env *environment) (*describe.Description, error) {
	return inspect.Describe(env.ctx, inspect.Config{Patterns: s.Packages, Tags: s.Tags, Timeout: s.Timeout})
}

// output is the part of a command line that says where the result goes.
type output struct {
	File  string `short:"o" name:"output" placeholder:"FILE" type:"path" help:"Write to FILE instead of standard output."`
	Check bool   `help:"Write nothing, and fail if FILE is out of date: for CI."`
}

var errStale = errors.New("out of date")

// check judges the flags, before any work is done.
func (o output) check() error {
	if o.Check && o.File == "" {
		return errors.New("--check compares with a file: name it by -o")
	}
	return nil
}

// write brings the result to where it belongs. A file that is right already is left
// alone. So is one that holds something else altogether, as mark is not in it: a name
// is mistyped soon.
func (o output) write(env *environment, result []byte, mark string) error {
	if o.File == "" {
		_, err := env.stdout.Write(result)
		return err
	}
	old, err := os.ReadFile(o.File)
	switch {
	case errors.Is(err, os.ErrNotExist) && o.Check:
		return fmt.Errorf("%s is missing: run the same command without --check", o.File)
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(old, result):
		return nil
	case o.Check:
		return fmt.Errorf("%s is %w: run the same command without --check\n%s", o.File, errStale, firstDifference(old, result))
	case len(bytes.TrimSpace(old)) > 0 && !bytes.Contains(old, []byte(mark)):
		return fmt.Errorf("%s holds something else (no %s): remove it, or give another name to -o", o.File, mark)
	}
	return replaceFile(o.File, result)
}

// replaceFile writes a file whole or not at all.
func replaceFile(file string, content []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	mode := os.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	_, err = temp.Write(content)
	if err = errors.Join(err, temp.Chmod(mode), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(old, now []byte) string {
	is, want := strings.Split(string(old), "\n"), strings.Split(string(now), "\n")
	for i := range max(len(is), len(want)) {
		var a, b string
		if i < len(is) {
			a = is[i]
		}
		if i < len(want) {
			b = want[i]
		}
		if a != b {
			return fmt.Sprintf("line %d: it has %q, it should have %q", i+1, a, b)
		}
	}
	return "they differ in their last line's end"
}
