package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A pkg is what the go command says of a package.
type pkg struct {
	ImportPath string
	Name       string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Module     *module
	DepOnly    bool // not named by a pattern
}

type module struct {
	Path string
	Dir  string
	Main bool
}

func (p *pkg) imports(path string) bool { return slices.Contains(p.Imports, path) }

// files are the Go files that the build uses.
func (p *pkg) files() (files []string) {
	if p == nil {
		return nil
	}
	for _, f := range slices.Concat(p.GoFiles, p.CgoFiles) {
		files = append(files, filepath.Join(p.Dir, f))
	}
	return files
}

// list asks the go command for the packages and all that they import.
func list(ctx context.Context, cfg Config) (map[string]*pkg, error) {
	args := []string{"list", "-deps", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports,Module,DepOnly", "-tags=" + cfg.Tags, "--"}
	out, err := goCommand(ctx, append(args, cfg.Patterns...)...)
	if err != nil {
		return nil, err
	}
	all := map[string]*pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := new(pkg)
		if err := dec.Decode(p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all[p.ImportPath] = p
	}
}

func sorted(all map[string]*pkg) []*pkg {
	packages := make([]*pkg, 0, len(all))
	for _, p := range all {
		packages = append(packages, p)
	}
	slices.SortFunc(packages, func(a, b *pkg) int { return strings.Compare(a.ImportPath, b.ImportPath) })
	return packages
}

// moduleOf returns the root of a module that the targets can be imported from: the
// first target's if we stand in it, else the one we stand in.
func moduleOf(ctx context.Context, targets []*pkg) (place, error) {
	if m := targets[0].Module; m.Main {
		return place{m.Path, m.Dir}, nil
	}
	out, err := goCommand(ctx, "list", "-m", "-json=Path,Dir,Main")
	if err != nil {
		return place{}, err
	}
	var m module
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&m); err != nil {
		return place{}, fmt.Errorf("go list -m: %w", err)
	}
	return place{m.Path, m.Dir}, nil
}

// goCommand runs the go command and returns its standard output. What it has to
// say is the error.
func goCommand(ctx context.Context, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = nativeEnv()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// Interrupted, it removes what it has put into the temporary directory.
	cmd.Cancel = func() error {
		if cmd.Process.Signal(os.Interrupt) != nil {
			return cmd.Process.Kill()
		}
		return nil
	}
	cmd.WaitDelay = 5 * time.Second
	switch err := cmd.Run(); {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, ended(ctx, err)
	case errors.Is(err, exec.ErrNotFound):
		return nil, errors.New("the go command was not found in PATH, and it has to build the packages")
	default:
		return nil, fmt.Errorf("go %s: %v\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
}

// nativeEnv is the environment for programs that are to run here: go generate, and
// whoever builds for another system, sets GOOS and GOARCH to the target's.
func nativeEnv() []string {
	return append(os.Environ(), "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
}
