package vet

import (
	"fmt"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Names of the checks, for Config.Checks and Finding.Check.
const (
	NeverSent = "neversent" // an event that is defined and never broadcast
	InTx      = "intx"      // a broadcast inside an open transaction
	Undefined = "undefined" // an event by a name that no definition has
)

// A Finding is something that is wrong.
type Finding struct {
	Check   string
	Package string
	Pos     token.Position
	Message string
}

// A unit is a package of the program.
type unit struct {
	path    string
	asked   bool // about this one findings are wanted
	summary *Summary
	// mains are the main packages that import it, directly or not, by their paths.
	mains []string
}

// defines says whether the package has definitions.
func (u *unit) defines() bool {
	return len(u.summary.Defs) > 0 || slices.ContainsFunc(u.summary.Sinks, func(s Sink) bool { return s.Kind != Sent })
}

// A program is what all packages together say.
type program struct {
	units    []unit
	complete bool // there is a main package: nobody else imports the others

	sent     []named         // names of events that are sent by their names
	defined  map[string]bool // names of definitions
	prefixes []string        // of emit.DefineJobs
	unknown  [3][]place      // where names come from somewhere, by what they are for

	params map[Param]map[Kind]bool // those that were followed already
}

type named struct {
	Constant
	unit *unit
}

type place struct {
	token.Position
	unit *unit
}

// together says whether two packages are in one program: a workspace may have several,
// and what has no main may be in any.
func together(a, b *unit) bool {
	return len(a.mains) == 0 || len(b.mains) == 0 || slices.ContainsFunc(a.mains, func(m string) bool { return slices.Contains(b.mains, m) })
}

func newProgram(units []unit, complete bool) *program {
	p := &program{units: units, complete: complete, defined: map[string]bool{}, params: map[Param]map[Kind]bool{}}
	for i := range p.units {
		u := &p.units[i]
		for _, d := range u.summary.Defs {
			if d.Name != "" {
				p.defined[d.Name] = true
			}
		}
		for name := range u.summary.Hidden {
			p.defined[name] = true // perhaps; and if not, nothing is said of it
		}
		for _, s := range u.summary.Sinks {
			p.flow(u, s.Kind, s.Origin, true)
		}
	}
	return p
}

// flow notes where the name of an event comes from. certain is false for a call that
// may be of another method.
func (p *program) flow(u *unit, kind Kind, o Origin, certain bool) {
	for _, c := range o.Constants {
		switch {
		case kind == Sent && certain:
			p.sent = append(p.sent, named{c, u})
		case kind == Defined:
			p.defined[c.Value] = true
		case kind == Prefixed:
			prefix := c.Value
			if prefix == "" {
				prefix = "JOB" // as emit.DefineJobs says
			}
			p.prefixes = append(p.prefixes, prefix+"_")
		}
	}
	if o.Unknown {
		p.guess(u, kind, o.Pos)
	}
	for _, param := range o.Params {
		p.follow(u, kind, param, o.Pos)
	}
}

// guess notes that a name may be any.
func (p *program) guess(u *unit, kind Kind, at token.Position) {
	p.unknown[kind] = append(p.unknown[kind], place{at, u})
}

// guessed returns where in a package's program a name may be any.
func (p *program) guessed(u *unit, kinds ...Kind) (at token.Position, ok bool) {
	for _, kind := range kinds {
		for _, place := range p.unknown[kind] {
			if together(u, place.unit) {
				return place.Position, true
			}
		}
	}
	return at, false
}

// follow asks all callers of a function what they give it.
func (p *program) follow(from *unit, kind Kind, param Param, at token.Position) {
	if p.params[param] == nil {
		p.params[param] = map[Kind]bool{}
	}
	if p.params[param][kind] {
		return
	}
	p.params[param][kind] = true
	if param.Exported && !p.complete {
		p.guess(from, kind, at) // called by whoever imports it
	}
	for i := range p.units {
		u := &p.units[i]
		if u.summary.Taken[param.Function] {
			p.guess(u, kind, at)
		}
		for _, c := range u.summary.Calls {
			index := param.Index
			switch {
			case c.Method && c.Function == param.Method:
				index-- // the receiver is not among the arguments
			case c.Method || c.Function != param.Function:
				continue
			}
			if o, ok := c.Args[index]; ok {
				p.flow(u, kind, o, !c.Method)
			}
		}
	}
}

// neverSent finds definitions that nothing in the program can send.
func (p *program) neverSent() (found []Finding, notes []string) {
	for i := range p.units {
		u := &p.units[i]
		for _, d := range u.summary.Defs {
			if !u.asked || d.Name == "" || d.Var == "" || p.mayBeSent(u, d) {
				continue
			}
			if at, ok := p.guessed(u, Sent); ok {
				notes = append(notes, fmt.Sprintf("%s: events are sent by names that are made while the program runs, and may be any: of definitions that are never broadcast nothing is said", at))
				continue
			}
			found = append(found, Finding{NeverSent, u.path, d.Pos, fmt.Sprintf("event %s is defined and never broadcast", d.Name)})
		}
	}
	return found, notes
}

func (p *program) mayBeSent(u *unit, d Def) bool {
	if d.Exported && !p.complete && !slices.Contains(strings.Split(u.path, "/"), "internal") {
		return true // by whoever imports it
	}
	for _, u := range p.units {
		s := u.summary
		if s.Live[d.Var] || s.Mentions[d.Name] || s.Hidden[d.Short] || s.Hidden[d.Name] {
			return true
		}
	}
	return false
}

// undefined finds names of events that no definition has. A program without any
// definition has its reasons, and so has a package that none with definitions uses.
func (p *program) undefined() (found []Finding, notes []string) {
	defining := p.defining()
	for _, n := range p.sent {
		if !n.unit.asked || !defining(n.unit) || n.Value == "" || p.defined[n.Value] || slices.ContainsFunc(p.prefixes, func(s string) bool { return strings.HasPrefix(n.Value, s) }) {
			continue
		}
		if at, ok := p.guessed(n.unit, Defined, Prefixed); ok {
			notes = append(notes, fmt.Sprintf("%s: events are defined by names that are made while the program runs: of names without a definition nothing is said", at))
			continue
		}
		text := fmt.Sprintf("event %q has no definition", n.Value)
		if near := nearest(n.Value, slices.Sorted(maps.Keys(p.defined))); near != "" {
			text += fmt.Sprintf("; is %s meant?", near)
		}
		found = append(found, Finding{Undefined, n.unit.path, n.Pos, text})
	}
	return found, notes
}

// defining says of a unit whether it belongs to a program that has definitions.
func (p *program) defining() func(*unit) bool {
	any := false
	mains := map[string]bool{}
	for i := range p.units {
		if u := &p.units[i]; u.defines() {
			any = true
			for _, m := range u.mains {
				mains[m] = true
			}
		}
	}
	return func(u *unit) bool {
		if len(u.mains) == 0 {
			return any
		}
		return slices.ContainsFunc(u.mains, func(m string) bool { return mains[m] })
	}
}

// nearest returns the name that differs least, by two letters at most.
func nearest(name string, names []string) (best string) {
	least := 3
	for _, n := range names {
		if d := distance(name, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance counts the letters to insert, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
