package vet

import (
	"go/token"
	"reflect"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// A Summary is what one package has to say about a program's events.
type Summary struct {
	Defs     []Def           // what it defines
	Live     map[string]bool // variables of type EventType that it may broadcast
	Mentions map[string]bool // strings that stand in it, and may be names of events
	Hidden   map[string]bool // words of files that this build leaves out
	Sinks    []Sink          // strings that become the names of events
	Calls    []Call          // strings that go into functions, where they may
	Taken    map[string]bool // functions that are called by who knows whom
}

// A Def is a call of Define or DefineKeyed.
type Def struct {
	Name     string // "" if it is not a constant
	Pos      token.Position
	Var      string // the variable that holds it, see variableOf; "": not one that can be followed
	Short    string // its name alone
	Exported bool   // other modules can broadcast it
}

// Summaries makes the [Summary] of each package. It reports nothing itself.
var Summaries = &analysis.Analyzer{
	Name:       "events",
	Doc:        "say what a package defines and sends\n\nIt reports nothing: other checks compare what it says of all packages of a program.",
	Requires:   []*analysis.Analyzer{inspect.Analyzer, buildssa.Analyzer},
	ResultType: reflect.TypeFor[*Summary](),
	Run:        summarise,
}

func summarise(pass *analysis.Pass) (any, error) {
	s := &Summary{Live: map[string]bool{}, Mentions: map[string]bool{}, Hidden: map[string]bool{}, Taken: map[string]bool{}}
	if isLibrary(pass.Pkg.Path()) {
		return s, nil
	}
	r := &references{pass: pass, into: s}
	r.read(pass.ResultOf[inspect.Analyzer].(*inspector.Inspector))
	if err := hidden(pass, s); err != nil {
		return nil, err
	}
	f := &flows{pass: pass, into: s, places: r.places}
	for _, fn := range functions(pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA)) {
		f.function(fn)
	}
	return s, nil
}
