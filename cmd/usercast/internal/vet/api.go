package vet

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

const (
	rootPath = "github.com/usercast-go/usercast"
	emitPath = rootPath + "/emit"
)

// library packages carry the events of whoever imports them: what they define and
// send is not their own doing.
var library = []string{rootPath, emitPath, rootPath + "/client", rootPath + "/inspector", rootPath + "/usercasttest"}

func isLibrary(path string) bool { return slices.Contains(library, path) }

// isNamed says whether t, or what it points to, is a type of that name.
func isNamed(t types.Type, path, name string) bool {
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	n, ok := t.(*types.Named)
	if !ok {
		return false
	}
	obj := n.Origin().Obj()
	return obj.Name() == name && obj.Pkg() != nil && obj.Pkg().Path() == path
}

func isHub(t types.Type) bool       { return isNamed(t, rootPath, "Hub") }
func isEvent(t types.Type) bool     { return isNamed(t, rootPath, "Event") }
func isEventType(t types.Type) bool { return isNamed(t, rootPath, "EventType") }

// inPackage says whether f is a function or a method of that package.
func inPackage(f *types.Func, path string) bool {
	return f != nil && f.Pkg() != nil && f.Pkg().Path() == path
}

// receiverOf returns the type whose method f is, nil if it is none's.
func receiverOf(f *types.Func) types.Type {
	if recv := f.Signature().Recv(); recv != nil {
		return recv.Type()
	}
	return nil
}

// calleeOf returns the function or method that a call names, a generic one as it was
// declared; nil if which one it is comes out only when the program runs.
func calleeOf(c *ssa.CallCommon) *types.Func {
	if c.IsInvoke() {
		return c.Method
	}
	fn := c.StaticCallee()
	if fn == nil || isBound(fn) {
		return nil
	}
	obj, _ := declared(fn).Object().(*types.Func)
	if obj == nil {
		return nil
	}
	return obj.Origin()
}

// declared returns the generic function that fn is an instance of, or fn.
func declared(fn *ssa.Function) *ssa.Function {
	if o := fn.Origin(); o != nil {
		return o
	}
	return fn
}

// isBound says whether fn is a method value: its receiver is not among a call's arguments.
func isBound(fn *ssa.Function) bool { return strings.HasPrefix(fn.Synthetic, "bound method") }

// broadcast returns by which method a call sends to a hub; "" if it does not, or if
// what it sends to comes out only when the program runs.
func broadcast(c *ssa.CallCommon) string {
	f := calleeOf(c)
	switch {
	case f == nil:
		return ""
	case c.IsInvoke():
		if strings.HasPrefix(f.Name(), "Broadcast") && toHub(c.Value, nil) {
			return "Hub." + f.Name()
		}
		return ""
	}
	recv := receiverOf(f)
	switch {
	case recv == nil:
	case isHub(recv) && strings.HasPrefix(f.Name(), "Broadcast"):
		return "Hub." + f.Name()
	case isEventType(recv) && (f.Name() == "BroadcastMany" || f.Name() == "BroadcastAll"):
		return "EventType." + f.Name() // they take a hub and nothing else
	case isEventType(recv) && f.Name() == "Broadcast" && len(c.Args) > 1 && toHub(c.Args[1], nil):
		return "EventType.Broadcast to the hub"
	case isNamed(recv, emitPath, "Batch") && f.Name() == "Flush" && len(c.Args) > 1 && toHub(c.Args[1], nil):
		return "Batch.Flush to the hub"
	}
	return ""
}

// toHub says whether a Broadcaster is a hub for certain: one that was given to this
// function as an interface may be an outbox as well.
func toHub(v ssa.Value, seen []ssa.Value) bool {
	if slices.Contains(seen, v) {
		return true // a loop adds nothing to what is said elsewhere
	}
	seen = append(seen, v)
	every := func(values []ssa.Value) bool {
		for _, v := range values {
			if !toHub(v, seen) {
				return false
			}
		}
		return len(values) > 0
	}
	switch v := v.(type) {
	case *ssa.MakeInterface:
		return isHub(v.X.Type())
	case *ssa.ChangeInterface:
		return toHub(v.X, seen)
	case *ssa.TypeAssert:
		return !v.CommaOk && isHub(v.AssertedType)
	case *ssa.Phi:
		return every(v.Edges)
	case *ssa.UnOp:
		values, ok := assigned(variable(v.X))
		return ok && every(values)
	}
	return false
}

// variable follows an address out of the closures that have captured it to the local
// variable that it is of; nil if it is of something else.
func variable(addr ssa.Value) *ssa.Alloc {
	switch a := addr.(type) {
	case *ssa.Alloc:
		return a
	case *ssa.FreeVar:
		outer := a.Parent().Parent()
		i := slices.Index(a.Parent().FreeVars, a)
		if outer == nil || i < 0 {
			return nil
		}
		for _, b := range outer.Blocks {
			for _, instr := range b.Instrs {
				if c, ok := instr.(*ssa.MakeClosure); ok && c.Fn == a.Parent() {
					return variable(c.Bindings[i])
				}
			}
		}
	}
	return nil
}

// assigned returns what is assigned to a local variable, by closures too. ok is false
// if something else may assign to it.
func assigned(a *ssa.Alloc) (values []ssa.Value, ok bool) {
	if a == nil {
		return nil, false
	}
	var visit func(addr ssa.Value) bool
	visit = func(addr ssa.Value) bool {
		for _, r := range *addr.Referrers() {
			switch r := r.(type) {
			case *ssa.UnOp, *ssa.DebugRef:
			case *ssa.Store:
				if r.Addr != addr {
					return false // the address itself goes somewhere
				}
				values = append(values, r.Val)
			case *ssa.MakeClosure:
				fn := r.Fn.(*ssa.Function)
				for i, b := range r.Bindings {
					if b == addr && !visit(fn.FreeVars[i]) {
						return false
					}
				}
			default:
				return false
			}
		}
		return true
	}
	return values, visit(a)
}
