// Package inspect finds out which events the packages of a user define. It builds a
// program in the user's module that imports them, runs it, and reads what it says.
//
// The program must build wherever the packages do: with any usercast that the
// module requires, offline, in a workspace, from a vendor directory. So it imports
// nothing that the module may not have: not the schema module and its dependencies,
// only the packages, usercast, and the walk over types (package describe), whose
// source is brought along. It goes into the build by go's -overlay: to the go command
// it lies inside the module, where internal packages may be imported, and yet no
// file is written there, which would be left behind by whatever kills this process.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/usercast-go/usercast/schema/describe"
)

// usercastPath is the package whose Define is looked for.
const usercastPath = "github.com/usercast-go/usercast"

// A Config says what to inspect.
type Config struct {
	Patterns []string      // packages, as the go command takes them
	Tags     string        // build tags, comma-separated
	Timeout  time.Duration // for the program's run, which initialises the packages; 0: a minute
}

// Describe returns the events that are defined in the packages and in what they
// import. Errors are for people: they name the package and say what to do.
func Describe(ctx context.Context, cfg Config) (*describe.Description, error) {
	all, err := list(ctx, cfg)
	if err != nil {
		return nil, err
	}
	targets, err := importable(all, cfg.Patterns)
	if err != nil {
		return nil, err
	}
	at, err := home(ctx, targets)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "usercast-inspect-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, cfg, dir, at, targets)
	if err != nil {
		return nil, err
	}
	d, err := run(ctx, cfg, dir, program, targets)
	if err != nil {
		return nil, err
	}
	if len(d.Events) == 0 {
		return nil, fmt.Errorf("%s defines no events: what is looked for are package-level variables like\n"+
			"\tvar OrderCreated = usercast.Define[Order](\"ORDER_CREATED\", usercast.Buffered)", names(targets))
	}
	d.AddComments(func(pkg string) []string { return all[pkg].files() })
	return d, nil
}

// importable picks the packages that the patterns name and a program can import. A
// pattern with dots names what it finds, so there packages are left out that cannot
// be meant; a package that is named alone must do.
func importable(all map[string]*pkg, patterns []string) ([]*pkg, error) {
	wide := strings.Contains(strings.Join(patterns, " "), "...")
	var targets, mains []*pkg
	for _, p := range sorted(all) {
		switch {
		case p.DepOnly:
		case p.Name == "main":
			mains = append(mains, p)
		case wide && !p.imports(usercastPath):
		default:
			targets = append(targets, p)
		}
	}
	if len(mains) > 0 && (!wide || len(targets) == 0) {
		return nil, fmt.Errorf("%s is package main, which no program can import: "+
			"move its definitions into a package of their own, say internal/events", names(mains))
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("no package that matches %s imports %s, so none defines an event",
			strings.Join(patterns, " "), usercastPath)
	}
	if all[usercastPath] == nil {
		return nil, fmt.Errorf("%s defines no events: it does not import %s, and neither does what it imports",
			names(targets), usercastPath)
	}
	for _, p := range targets {
		if p.Module == nil {
			return nil, fmt.Errorf("%s is in no module: this works where there is a go.mod", p.ImportPath)
		}
	}
	return targets, nil
}

// A place is a directory of a module.
type place struct{ path, dir string }

// home finds a place for a program that imports all the targets. It lies below the
// parent of each internal directory on their paths.
func home(ctx context.Context, targets []*pkg) (place, error) {
	at, err := moduleOf(ctx, targets)
	if err != nil {
		return place{}, err
	}
	root := at
	for _, p := range targets {
		parent, internal := internalParent(p.ImportPath)
		if !internal || within(at.path, parent) {
			continue
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(parent, root.path), "/")
		if !within(parent, root.path) {
			return place{}, fmt.Errorf("%s is internal to another module than %s: run this command in its own", p.ImportPath, root.path)
		}
		if !within(parent, at.path) {
			return place{}, fmt.Errorf("%s lie below different internal directories, so no program may import them together: "+
				"run this command once for each", names(targets))
		}
		at = place{parent, filepath.Join(root.dir, filepath.FromSlash(rel))}
	}
	return at, nil
}

// internalParent returns the path below which an internal package may be imported.
func internalParent(importPath string) (parent string, internal bool) {
	elems := strings.Split(importPath, "/")
	for i := len(elems) - 1; i >= 0; i-- {
		if elems[i] == "internal" {
			return path.Join(elems[:i]...), true
		}
	}
	return "", false
}

func within(p, parent string) bool {
	return parent == "" || p == parent || strings.HasPrefix(p, parent+"/")
}

// names lists packages for a message.
func names(packages []*pkg) string {
	list := make([]string, len(packages))
	for i, p := range packages {
		list[i] = p.ImportPath
	}
	return strings.Join(list, ", ")
}

// ended is the reason to give for a command that failed: the caller's, if it ended it.
func ended(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return cause
	}
	return err
}
