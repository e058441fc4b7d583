package vet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"
)

// A Config says what to look at.
type Config struct {
	Dir      string   // where the patterns hold; "": here
	Patterns []string // the packages of which findings are wanted; none: the one in Dir
	Tags     string   // build tags, by commas
	Checks   []string // nil: all

	// Program is the whole program, for an event may be defined in one package and
	// sent in another. nil: all modules that are worked on here, "work" to the go command.
	Program []string
	Env     []string // nil: the process's
}

// A Result is what was found.
type Result struct {
	Findings []Finding // by place
	Notes    []string  // what is left out, and why
}

// Check loads a program, its dependencies as far as they have to do with events, and
// looks. Files of tests are not looked at: what only a test sends is not sent. The
// go command must be there; an error means that a package could not be loaded.
func Check(ctx context.Context, cfg Config) (*Result, error) {
	if len(cfg.Patterns) == 0 {
		cfg.Patterns = []string{"."}
	}
	if cfg.Program == nil {
		cfg.Program = []string{"work"}
	}
	if cfg.Checks == nil {
		cfg.Checks = []string{NeverSent, InTx, Undefined}
	}
	if cfg.Env == nil {
		cfg.Env = os.Environ()
	}
	asked, err := cfg.load(ctx, packages.NeedName, cfg.Patterns)
	if err != nil {
		return nil, err
	}
	wanted := map[string]bool{}
	for _, p := range asked {
		wanted[p.PkgPath] = true
	}
	graph, err := cfg.load(ctx, packages.NeedName|packages.NeedImports|packages.NeedDeps|packages.NeedModule, append(slices.Clone(cfg.Program), cfg.Patterns...))
	if err != nil {
		return nil, err
	}
	paths, complete := concerned(graph)
	if len(paths) == 0 {
		return new(Result), nil
	}
	pkgs, err := cfg.load(ctx, packages.LoadSyntax|packages.NeedModule, paths)
	if err != nil {
		return nil, err
	}
	return cfg.look(pkgs, wanted, complete)
}

func (cfg *Config) load(ctx context.Context, mode packages.LoadMode, patterns []string) ([]*packages.Package, error) {
	load := &packages.Config{Context: ctx, Mode: mode, Dir: cfg.Dir, Env: cfg.Env}
	if cfg.Tags != "" {
		load.BuildFlags = []string{"-tags=" + cfg.Tags}
	}
	pkgs, err := packages.Load(load, patterns...)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", strings.Join(patterns, " "), err)
	}
	var problems []error
	for _, p := range pkgs {
		for _, e := range p.Errors {
			problems = append(problems, e)
		}
	}
	if n := len(problems); n > 10 {
		problems = append(problems[:10], fmt.Errorf("and %d more", n-10))
	}
	return pkgs, errors.Join(problems...)
}

// concerned returns the program's packages and those of other modules that know of
// usercast. complete says whether there is a main package among the former.
func concerned(roots []*packages.Package) (paths []string, complete bool) {
	for _, p := range roots {
		complete = complete || p.Name == "main"
	}
	knows := map[*packages.Package]bool{}
	var visit func(*packages.Package) bool
	visit = func(p *packages.Package) bool {
		if known, ok := knows[p]; ok {
			return known
		}
		knows[p] = p.PkgPath == rootPath
		for _, dep := range p.Imports {
			if visit(dep) {
				knows[p] = true
			}
		}
		if (knows[p] || slices.Contains(roots, p)) && !isLibrary(p.PkgPath) {
			paths = append(paths, p.PkgPath)
		}
		return knows[p]
	}
	any := false
	for _, p := range roots {
		any = visit(p) || any
	}
	if !any {
		return nil, complete // a program without events
	}
	return paths, complete
}

// mainsOf returns, for each package, the main packages that have it in them.
func mainsOf(pkgs []*packages.Package) map[string][]string {
	mains := map[string][]string{}
	for _, m := range pkgs {
		if m.Name == "main" {
			packages.Visit([]*packages.Package{m}, nil, func(p *packages.Package) {
				mains[p.PkgPath] = append(mains[p.PkgPath], m.PkgPath)
			})
		}
	}
	return mains
}

// look runs the checks.
func (cfg *Config) look(pkgs []*packages.Package, wanted map[string]bool, complete bool) (*Result, error) {
	// Dependencies come as their compilers' summaries, without a source to look at;
	// analyzers that ask for facts about them must find an empty one.
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		if p.TypesInfo == nil {
			p.TypesInfo = new(types.Info)
		}
	})
	analyzers := []*analysis.Analyzer{Summaries, InTransaction}
	graph, err := checker.Analyze(analyzers, pkgs, nil)
	if err != nil {
		return nil, err
	}
	mains := mainsOf(pkgs)
	var units []unit
	result := new(Result)
	checks := func(name string) bool { return slices.Contains(cfg.Checks, name) }
	for _, act := range graph.Roots {
		if act.Err != nil {
			return nil, fmt.Errorf("%s: %w", act.Package.PkgPath, act.Err)
		}
		path := act.Package.PkgPath
		if act.Analyzer == Summaries {
			units = append(units, unit{path: path, asked: wanted[path], summary: act.Result.(*Summary), mains: mains[path]})
			continue
		}
		for _, d := range act.Diagnostics {
			if wanted[path] && checks(InTx) {
				result.Findings = append(result.Findings, Finding{InTx, path, act.Package.Fset.Position(d.Pos), d.Message})
			}
		}
	}
	slices.SortFunc(units, func(a, b unit) int { return strings.Compare(a.path, b.path) })
	p := newProgram(units, complete)
	for _, c := range []struct {
		name string
		find func() ([]Finding, []string)
	}{{NeverSent, p.neverSent}, {Undefined, p.undefined}} {
		if !checks(c.name) {
			continue
		}
		found, notes := c.find()
		result.Findings = append(result.Findings, found...)
		slices.Sort(notes)
		result.Notes = append(result.Notes, slices.Compact(notes)...)
	}
	slices.SortFunc(result.Findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Pos.Filename, b.Pos.Filename), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column), strings.Compare(a.Check, b.Check))
	})
	return result, nil
}
