package vet

import (
	"fmt"
	"go/types"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// A transaction, to these checks, is what a call of Begin or BeginTx returns, whoever's
// it is, if it has the methods Commit and Rollback: database/sql's, pgx's, and those
// that look alike.
//
// What ends one is a call of a method of these names. A function that a transaction is
// given to may end it as well: of functions in the program that is known by looking
// (see endings), of others, and of methods of interfaces, their names must do.

// beginning says whether a call begins a transaction.
func beginning(c *ssa.Call) bool {
	f := calleeOf(c.Common())
	if f == nil {
		return false
	}
	name := strings.ToLower(f.Name())
	if !strings.HasPrefix(name, "begin") && !strings.HasPrefix(name, "mustbegin") {
		return false
	}
	t := c.Type()
	if tuple, ok := t.(*types.Tuple); ok {
		if tuple.Len() == 0 {
			return false
		}
		t = tuple.At(0).Type()
	}
	return isTransaction(t)
}

func isTransaction(t types.Type) bool {
	methods := types.NewMethodSet(t)
	has := func(name string) bool {
		for i := range methods.Len() {
			if methods.At(i).Obj().Name() == name {
				return true
			}
		}
		return false
	}
	return has("Commit") && has("Rollback")
}

var (
	// endName is what a method that ends a transaction is called, on the transaction
	// itself or on something that holds it.
	endName = regexp.MustCompile(`(?i)commit|rollback`)
	// maybeEndName is what a function may be called that ends a transaction which it
	// was given. Of such a one nothing is known, and so nothing is said.
	maybeEndName = regexp.MustCompile(`(?i)commit|rollback|abort|finish|complete|close|done|^end`)
)

// roots follows a value back to where it comes from, as far as transactions go: calls
// that begin one, parameters, and values that hold one of these. known is false if it
// may be something else as well.
func roots(v ssa.Value) (found []ssa.Value, known bool) {
	var seen []ssa.Value
	var visit func(ssa.Value) bool
	every := func(values []ssa.Value) bool {
		known := true
		for _, v := range values {
			known = visit(v) && known
		}
		return known
	}
	visit = func(v ssa.Value) bool {
		if slices.Contains(seen, v) {
			return true
		}
		seen = append(seen, v)
		switch v := v.(type) {
		case *ssa.Const:
			return true // nil
		case *ssa.Parameter:
			found = append(found, v)
			return true
		case *ssa.Extract:
			return v.Index == 0 && visit(v.Tuple)
		case *ssa.Call:
			if beginning(v) {
				found = append(found, v)
				return true
			}
			passed := given(v.Common())
			return every(passed) && len(passed) > 0
		case *ssa.Phi:
			return every(v.Edges)
		case *ssa.MakeInterface:
			return visit(v.X)
		case *ssa.ChangeInterface:
			return visit(v.X)
		case *ssa.ChangeType:
			return visit(v.X)
		case *ssa.TypeAssert:
			return visit(v.X)
		case *ssa.Alloc: // a struct that may hold one
			held := fields(v)
			return every(held) && len(held) > 0
		case *ssa.UnOp:
			a := variable(v.X)
			values, ok := assigned(a)
			if !ok && a != nil {
				return visit(a)
			}
			return every(values) && ok
		}
		return false
	}
	known = visit(v)
	return found, known
}

// given returns the transactions among a call's arguments. A receiver is not given:
// the rows of tx.Query do not hold tx.
func given(c *ssa.CallCommon) (values []ssa.Value) {
	args := c.Args
	if f := calleeOf(c); f != nil && !c.IsInvoke() && receiverOf(f) != nil {
		args = args[1:]
	}
	for _, a := range args {
		t := a.Type()
		if m, ok := a.(*ssa.MakeInterface); ok {
			t = m.X.Type()
		}
		if isTransaction(t) {
			values = append(values, a)
		}
	}
	return values
}

// fields returns the transactions that a local struct is given, as in &Store{tx: tx}.
func fields(a *ssa.Alloc) (values []ssa.Value) {
	for _, r := range *a.Referrers() {
		f, ok := r.(*ssa.FieldAddr)
		if !ok {
			continue
		}
		for _, r := range *f.Referrers() {
			if s, ok := r.(*ssa.Store); ok && s.Addr == f && isTransaction(s.Val.Type()) {
				values = append(values, s.Val)
			}
		}
	}
	return values
}

// methodOn returns the name of the method that is called, and on what; "" for a function.
func methodOn(c *ssa.CallCommon) (name string, on ssa.Value) {
	if c.IsInvoke() {
		return c.Method.Name(), c.Value
	}
	if fn := c.StaticCallee(); fn != nil && isBound(fn) {
		closure, ok := c.Value.(*ssa.MakeClosure)
		if ok && fn.Object() != nil {
			return fn.Object().Name(), closure.Bindings[0]
		}
		return "", nil
	}
	if f := calleeOf(c); f != nil && receiverOf(f) != nil && len(c.Args) > 0 {
		return f.Name(), c.Args[0]
	}
	return "", nil
}

// Endings is a fact about a function that takes transactions: which of its parameters,
// the receiver counted as the first, it may end.
type Endings struct{ Params []int }

// AFact marks it as a fact of go/analysis.
func (*Endings) AFact() {}

func (e *Endings) String() string { return fmt.Sprintf("ends%v", e.Params) }

// endings knows which functions end what they are given.
type endings struct {
	facts func(*types.Func) (*Endings, bool) // of other packages
	known map[*ssa.Function][]int            // of this one
}

// of returns which of its parameters a function of this package may end.
func (e *endings) of(fn *ssa.Function) []int {
	if params, ok := e.known[fn]; ok {
		return params
	}
	e.known[fn] = nil // a function that calls itself ends no more by doing so
	var params []int
	for i, p := range fn.Params {
		if e.ends(fn, p) {
			params = append(params, i)
		}
	}
	e.known[fn] = params
	return params
}

// ends says whether a function, or a closure in it, may end the transaction v. What
// it defers counts: it has ended when the function has.
func (e *endings) ends(fn *ssa.Function, v ssa.Value) bool {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			c, ok := instr.(ssa.CallInstruction)
			if !ok {
				continue
			}
			if ended, all := e.by(c.Common()); all || slices.Contains(ended, v) {
				return true
			}
		}
	}
	return slices.ContainsFunc(fn.AnonFuncs, func(inner *ssa.Function) bool { return e.ends(inner, v) })
}

// by returns the transactions that a call may end. all means that it may be any.
func (e *endings) by(c *ssa.CallCommon) (ended []ssa.Value, all bool) {
	if name, on := methodOn(c); on != nil && maybeEndName.MatchString(name) {
		found, known := roots(on)
		if !known && endName.MatchString(name) {
			return nil, true
		}
		ended = append(ended, found...)
	}
	for _, v := range given(c) {
		if e.keeps(c, v) {
			continue
		}
		found, known := roots(v)
		if !known {
			return nil, true
		}
		ended = append(ended, found...)
	}
	return ended, false
}

// keeps says whether a call leaves the transaction that it is given as it is.
func (e *endings) keeps(c *ssa.CallCommon, v ssa.Value) bool {
	var params []int
	fn, f := c.StaticCallee(), calleeOf(c)
	switch {
	case fn != nil && len(declared(fn).Blocks) > 0:
		params = e.of(declared(fn))
	case f == nil:
		return true // a function value, which is given a transaction to work in
	default:
		fact, ok := e.facts(f)
		if !ok {
			return !maybeEndName.MatchString(f.Name())
		}
		params = fact.Params
	}
	return !slices.ContainsFunc(params, func(i int) bool { return i < len(c.Args) && c.Args[i] == v })
}
