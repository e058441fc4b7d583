package vet

import (
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// A Sink is a string that becomes the name of an event.
type Sink struct {
	Kind   Kind
	Origin Origin
}

// A Kind says in which way it does.
type Kind uint8

const (
	Sent     Kind = iota // Event.Type
	Defined              // the name that Define is given
	Prefixed             // the prefix that emit.DefineJobs is given
)

// A Call is a call that a string is given to.
type Call struct {
	Function string // see key; for a method of an interface its name
	Method   bool   // of an interface: any method of that name may be meant
	Args     map[int]Origin
}

// An Origin is where a string comes from: constants, the function's own parameters,
// or something else.
type Origin struct {
	Constants []Constant
	Params    []Param
	Unknown   bool
	Pos       token.Position
}

// A Constant is a string that stands in the source.
type Constant struct {
	Value string
	Pos   token.Position
}

// A Param is a parameter of a function, the receiver counted as the first.
type Param struct {
	Function string // see key
	Method   string // its name, if it is a method
	Exported bool   // other modules can call it
	Index    int
}

// key names a function for all packages.
func key(fn *ssa.Function) string { return declared(fn).String() }

// flows finds the strings that become names of events, as far as one package knows.
type flows struct {
	pass   *analysis.Pass
	into   *Summary
	places places
}

func (f *flows) function(fn *ssa.Function) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			switch instr := instr.(type) {
			case *ssa.Store:
				if a, ok := instr.Addr.(*ssa.FieldAddr); ok && isEvent(a.X.Type()) && fieldName(a) == "Type" {
					f.sink(Sent, instr.Val, f.valueAt(instr.Pos()))
				}
			case *ssa.MakeInterface: // by reflection its fields may be set
				if p, ok := instr.X.Type().Underlying().(*types.Pointer); ok && holdsEvent(p.Elem(), 4) {
					f.unknown(placeOf(instr))
				}
			case *ssa.ChangeType:
				if isEvent(instr.Type()) && !isEvent(instr.X.Type()) {
					f.unknown(placeOf(instr))
				}
			}
			f.taken(instr)
			if c, ok := instr.(ssa.CallInstruction); ok {
				f.call(c.Common())
			}
		}
	}
}

func (f *flows) sink(kind Kind, v ssa.Value, at token.Pos) {
	f.into.Sinks = append(f.into.Sinks, Sink{kind, f.origin(v, at)})
}

func (f *flows) unknown(at token.Pos) {
	f.into.Sinks = append(f.into.Sinks, Sink{Sent, Origin{Unknown: true, Pos: f.pass.Fset.Position(at)}})
}

// placeOf returns the place of a value, or of what it is used for: a conversion that
// nobody has written has none.
func placeOf(v interface {
	ssa.Value
	ssa.Instruction
}) token.Pos {
	if v.Pos().IsValid() {
		return v.Pos()
	}
	for _, r := range *v.Referrers() {
		if r.Pos().IsValid() {
			return r.Pos()
		}
	}
	return v.Parent().Pos()
}

// valueAt returns the place of the value that is stored at a place.
func (f *flows) valueAt(at token.Pos) token.Pos {
	if value, ok := f.places.values[at]; ok {
		return value
	}
	return at
}

// holdsEvent says whether a type has an Event in it that others can set, not deeper
// than so many levels.
func holdsEvent(t types.Type, levels int) bool {
	if isEvent(t) {
		return true
	}
	if levels == 0 {
		return false
	}
	switch t := t.Underlying().(type) {
	case *types.Pointer:
		return holdsEvent(t.Elem(), levels-1)
	case *types.Slice:
		return holdsEvent(t.Elem(), levels-1)
	case *types.Array:
		return holdsEvent(t.Elem(), levels-1)
	case *types.Map:
		return holdsEvent(t.Elem(), levels-1)
	case *types.Struct:
		for field := range t.Fields() {
			if field.Exported() && holdsEvent(field.Type(), levels-1) {
				return true
			}
		}
	}
	return false
}

func fieldName(a *ssa.FieldAddr) string {
	t := a.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
	return t.Field(a.Field).Name()
}

// taken notes the functions that an instruction uses in another way than to call them.
func (f *flows) taken(instr ssa.Instruction) {
	var called ssa.Value
	if c, ok := instr.(ssa.CallInstruction); ok && !c.Common().IsInvoke() {
		called = c.Common().Value
	}
	callers := func(c *ssa.MakeClosure) bool { // do all who have the closure call it?
		for _, r := range *c.Referrers() {
			call, ok := r.(ssa.CallInstruction)
			if !ok || call.Common().Value != ssa.Value(c) || slices.Contains(call.Common().Args, ssa.Value(c)) {
				return false
			}
		}
		return true
	}
	if c, ok := instr.(*ssa.MakeClosure); ok {
		if fn := c.Fn.(*ssa.Function); isBound(fn) || !callers(c) {
			f.take(fn)
		}
		return
	}
	for _, op := range instr.Operands(nil) {
		if fn, ok := (*op).(*ssa.Function); ok && op != nil {
			if *op == called && !isArgument(instr, fn) {
				continue
			}
			f.take(fn)
		}
	}
}

func isArgument(instr ssa.Instruction, fn *ssa.Function) bool {
	c, ok := instr.(ssa.CallInstruction)
	return ok && slices.Contains(c.Common().Args, ssa.Value(fn))
}

// take notes fn, or the method that it stands for.
func (f *flows) take(fn *ssa.Function) {
	if isBound(fn) || fn.Synthetic != "" {
		if m, ok := fn.Object().(*types.Func); ok {
			if method := fn.Prog.FuncValue(m.Origin()); method != nil {
				fn = method
			}
		}
	}
	f.into.Taken[key(fn)] = true
}

// call notes the strings that a call is given.
func (f *flows) call(c *ssa.CallCommon) {
	callee := calleeOf(c)
	if inPackage(callee, rootPath) && (callee.Name() == "Define" || callee.Name() == "DefineKeyed") {
		f.sink(Defined, c.Args[0], f.argAt(c, 0))
		return
	}
	if inPackage(callee, emitPath) && callee.Name() == "DefineJobs" {
		f.sink(Prefixed, c.Args[0], f.argAt(c, 0))
		return
	}
	noted := Call{Args: map[int]Origin{}}
	switch fn := c.StaticCallee(); {
	case c.IsInvoke():
		noted.Function, noted.Method = c.Method.Name(), true
	case fn != nil && !isBound(fn):
		noted.Function = key(fn)
	default:
		return // who is called was noted by taken
	}
	for i, arg := range c.Args {
		if b, ok := arg.Type().Underlying().(*types.Basic); ok && b.Kind() == types.String {
			noted.Args[i] = f.origin(arg, f.argAt(c, i))
		}
	}
	if len(noted.Args) > 0 {
		f.into.Calls = append(f.into.Calls, noted)
	}
}

// argAt returns the place of the i-th argument, the receiver counted as the first.
func (f *flows) argAt(c *ssa.CallCommon, i int) token.Pos {
	call := f.places.calls[c.Pos()]
	if call == nil {
		return c.Pos()
	}
	if len(c.Args) > len(call.Args) && !c.IsInvoke() {
		i-- // a method's receiver
	}
	if i < 0 || i >= len(call.Args) {
		return c.Pos()
	}
	return call.Args[i].Pos()
}

// origin follows a string back: through variables, branches and conversions, up to
// constants and to the parameters of the function, whose callers know more. Names of
// definitions count as known, for whoever reads one is a user of its variable; so
// does the type of another event, which has come from somewhere in its turn.
func (f *flows) origin(v ssa.Value, at token.Pos) Origin {
	o := Origin{Pos: f.pass.Fset.Position(at)}
	var seen []ssa.Value
	var visit func(ssa.Value)
	visit = func(v ssa.Value) {
		if slices.Contains(seen, v) {
			return
		}
		seen = append(seen, v)
		switch v := v.(type) {
		case *ssa.Const:
			if v.Value != nil && v.Value.Kind() == constant.String {
				o.Constants = append(o.Constants, Constant{constant.StringVal(v.Value), o.Pos})
			}
			return
		case *ssa.Parameter:
			o.Params = append(o.Params, paramOf(v))
			return
		case *ssa.Phi:
			for _, e := range v.Edges {
				visit(e)
			}
			return
		case *ssa.ChangeType:
			visit(v.X)
			return
		case *ssa.Call:
			if m := calleeOf(v.Common()); m != nil && m.Name() == "Name" && receiverOf(m) != nil && isEventType(receiverOf(m)) {
				return
			}
		case *ssa.Field:
			if isEvent(v.X.Type()) {
				return
			}
		case *ssa.UnOp:
			if a, ok := v.X.(*ssa.FieldAddr); ok && isEvent(a.X.Type()) {
				return
			}
			if values, ok := assigned(variable(v.X)); ok {
				for _, v := range values {
					visit(v)
				}
				return
			}
		}
		o.Unknown = true
	}
	visit(v)
	return o
}

func paramOf(p *ssa.Parameter) Param {
	fn := p.Parent()
	found := Param{Function: key(fn), Index: slices.Index(fn.Params, p)}
	if m, ok := fn.Object().(*types.Func); ok {
		found.Exported = m.Exported()
		if receiverOf(m) != nil {
			found.Method = m.Name()
		}
	}
	return found
}
