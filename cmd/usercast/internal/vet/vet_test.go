package vet

import (
	"context"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
)

func TestInTransaction(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), InTransaction, "./intx/...")
}

// programs are those of testdata, each of which is whole, with a part of every note.
var programs = []struct {
	name  string
	notes []string
}{
	{"neversent", nil},
	{"undefined", nil},
	{"computed", []string{"main.go:14:46: events are sent by names that are made"}},
	{"decoded", []string{"events are sent by names that are made"}},
	{"takenfunc", []string{"takenfunc/main.go:14:70: events are sent by names that are made"}},
	{"takenmethod", []string{"takenmethod/main.go:16:79: events are sent by names that are made"}},
	{"nodefs", nil},
	{"library", nil},
	{"dyndefs", []string{"events are defined by names that are made"}},
}

func check(t *testing.T, cfg Config) *Result {
	t.Helper()
	cfg.Dir = analysistest.TestData()
	cfg.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
	got, err := Check(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestPrograms lets analysistest compare what Check finds in whole programs with what
// the comments in their packages want.
func TestPrograms(t *testing.T) {
	var found []Finding
	for _, p := range programs {
		pattern := []string{"./" + p.name + "/..."}
		got := check(t, Config{Patterns: pattern, Program: pattern, Checks: []string{NeverSent, Undefined}})
		found = append(found, got.Findings...)
		if len(got.Notes) != len(p.notes) {
			t.Errorf("%s: got notes %q, want %d", p.name, got.Notes, len(p.notes))
			continue
		}
		for i, note := range got.Notes {
			if !strings.Contains(note, p.notes[i]) {
				t.Errorf("%s: got note %q, want one with %q", p.name, note, p.notes[i])
			}
		}
	}
	replay := &analysis.Analyzer{Name: "replay", Doc: "report what Check has found", Run: func(pass *analysis.Pass) (any, error) {
		for _, file := range pass.Files {
			f := pass.Fset.File(file.Pos())
			for _, finding := range found {
				if finding.Pos.Filename == f.Name() {
					pass.Report(analysis.Diagnostic{Pos: f.LineStart(finding.Pos.Line) + token.Pos(finding.Pos.Column-1), Message: finding.Message})
				}
			}
		}
		return nil, nil
	}}
	var patterns []string
	for _, p := range programs {
		patterns = append(patterns, "./"+p.name+"/...")
	}
	analysistest.Run(t, analysistest.TestData(), replay, patterns...)
}

// wanted returns the places in a directory of testdata of which a comment wants a
// diagnostic, as "file:line".
func wanted(t *testing.T, dir string) (places []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files in %s: %v", dir, err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "// want `") {
				places = append(places, fmt.Sprintf("%s:%d", filepath.Base(name), i+1))
			}
		}
	}
	return places
}

func linesOf(findings []Finding) (places []string) {
	for _, f := range findings {
		places = append(places, fmt.Sprintf("%s:%d", filepath.Base(f.Pos.Filename), f.Pos.Line))
	}
	return places
}

// Check knows of other packages what analysistest knows, though it reads no source of
// dependencies; and a pattern only chooses what is reported.
func TestCheckReportsWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  Config
		want []string
	}{
		{"intx of one package", Config{Patterns: []string{"./intx"}, Program: []string{"./..."}, Checks: []string{InTx}}, wanted(t, "intx")},
		{"intx of another", Config{Patterns: []string{"./intx/store"}, Program: []string{"./..."}, Checks: []string{InTx}}, nil},
		{"definitions without their sender", Config{Patterns: []string{"./neversent/events"}, Program: []string{"./neversent/..."}, Checks: []string{NeverSent}}, wanted(t, "neversent/events")},
		{"the sender alone", Config{Patterns: []string{"./neversent/app"}, Program: []string{"./neversent/..."}, Checks: []string{NeverSent}}, wanted(t, "neversent/app")},
		{"names alone", Config{Patterns: []string{"./computed"}, Program: []string{"./computed"}}, wanted(t, "computed")},
		{"a build for another system", Config{Patterns: []string{"./tags"}, Program: []string{"./tags"}, Tags: "special"}, []string{"special.go:9"}},
		{"without events", Config{Patterns: []string{"./pgxonly"}, Program: []string{"./pgxonly"}}, nil},
	} {
		got := linesOf(check(t, c.cfg).Findings)
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// All work modules are the program unless it is said otherwise, whatever the pattern.
func TestCheckLooksAtTheWholeModule(t *testing.T) {
	got := check(t, Config{Patterns: []string{"./neversent/events"}, Checks: []string{NeverSent, Undefined}})
	// Other programs of the module make names while they run, which is their affair.
	if lines := linesOf(got.Findings); !slices.Equal(lines, wanted(t, "neversent/events")) || len(got.Notes) != 0 {
		t.Errorf("got %v and %q", lines, got.Notes)
	}
	got = check(t, Config{Patterns: []string{"./nodefs/..."}})
	if len(got.Findings)+len(got.Notes) != 0 {
		t.Errorf("a program without definitions: got %v and %q", got.Findings, got.Notes)
	}
}

func TestCheckThatCannot(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no such package": {Config{Patterns: []string{"./nowhere"}, Dir: "testdata"}, "nowhere"},
		"a type error":    {Config{Dir: "testdata/broken"}, "undefined: missing"},
	} {
		c.cfg.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
		got, err := Check(context.Background(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v and error %v, want one with %q", name, got, err, c.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if got, err := Check(context.Background(), Config{}); err == nil || !strings.Contains(err.Error(), `"go": executable file not found`) {
		t.Errorf("without the go command: got %v and error %v", got, err)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"JOB_DONE", "ORDER_CREATED", "ORDER_UPDATED"}
	for name, want := range map[string]string{
		"ORDER_CREATE":   "ORDER_CREATED",
		"ORDER_CRAETED":  "ORDER_CREATED",
		"ORDERCREATED":   "ORDER_CREATED",
		"ORDER_CREATEDX": "ORDER_CREATED",
		"JOB_GONE":       "JOB_DONE",
		"ORDER_DELETED":  "",
		"":               "",
	} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest(%q): got %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q): got %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
