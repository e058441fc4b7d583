package vet

import (
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// InTransaction reports broadcasts while a transaction is open: devices fetch the data
// before it is there, or hear of what is then rolled back.
//
// It looks at one function at a time and reports a call if a transaction that the
// function has begun is open on every way to it; and calls in the function that
// emit.Tx, emit.TxWith, emit.Savepoint or pgx.BeginFunc runs. Calls in closures that
// are run some time, deferred calls and those of other goroutines are left alone, and
// so is what is sent to a Broadcaster that may be an outbox.
var InTransaction = &analysis.Analyzer{
	Name:      "intx",
	Doc:       "report broadcasts inside an open transaction\n\nDevices fetch the data before it is committed, or hear of what is rolled back.",
	URL:       "https://pkg.go.dev/github.com/usercast-go/usercast/cmd/usercast",
	Requires:  []*analysis.Analyzer{buildssa.Analyzer},
	FactTypes: []analysis.Fact{new(Endings)},
	Run:       runInTransaction,
}

func runInTransaction(pass *analysis.Pass) (any, error) {
	code := pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA)
	in := &inTx{pass: pass, told: map[token.Pos]bool{}}
	in.endings = endings{known: map[*ssa.Function][]int{}, facts: func(f *types.Func) (*Endings, bool) {
		fact := new(Endings)
		return fact, pass.ImportObjectFact(f, fact)
	}}
	for _, fn := range functions(code) {
		if obj, ok := fn.Object().(*types.Func); ok && takesTransaction(fn) {
			pass.ExportObjectFact(obj, &Endings{in.endings.of(fn)})
		}
	}
	if isLibrary(pass.Pkg.Path()) {
		return nil, nil
	}
	for _, fn := range functions(code) {
		in.function(fn)
		in.callbacks(fn)
	}
	return nil, nil
}

// functions returns all functions that have a body, closures and the initialisation of
// package-level variables too.
func functions(code *buildssa.SSA) []*ssa.Function {
	fns := slices.Clone(code.SrcFuncs)
	var add func(*ssa.Function)
	add = func(fn *ssa.Function) {
		fns = append(fns, fn)
		for _, inner := range fn.AnonFuncs {
			add(inner)
		}
	}
	if init := code.Pkg.Func("init"); init != nil {
		add(init)
	}
	return fns
}

func takesTransaction(fn *ssa.Function) bool {
	return slices.ContainsFunc(fn.Params, func(p *ssa.Parameter) bool { return isTransaction(p.Type()) })
}

type inTx struct {
	pass    *analysis.Pass
	endings endings
	told    map[token.Pos]bool // a callback may be given to several
}

func (in *inTx) report(c ssa.CallInstruction, format string, args ...any) {
	pos := c.Common().Pos()
	if !in.told[pos] {
		in.told[pos] = true
		in.pass.Report(analysis.Diagnostic{Pos: pos, Message: fmt.Sprintf(format, args...)})
	}
}

// A set is a set of calls that begin transactions, by their place in a function.
type set uint64

const maxBegins = 64 // of one function; what is more is not looked at

// function reports the broadcasts that a function does while a transaction of its own
// is open.
func (in *inTx) function(fn *ssa.Function) {
	begins := beginnings(fn)
	if len(begins) == 0 {
		return
	}
	open := in.openAt(fn, begins)
	for _, b := range fn.Blocks {
		now := open[b.Index]
		for _, instr := range b.Instrs {
			c, ok := instr.(*ssa.Call)
			if ok && now != 0 {
				if what := broadcast(c.Common()); what != "" {
					in.report(c, "%s inside the transaction that is begun %s: it may still be rolled back; broadcast after Commit, or use emit.Tx", what, in.where(begins, now, c))
				}
			}
			now = in.after(instr, now, begins)
		}
	}
}

// where says where the last of the open transactions is begun.
func (in *inTx) where(begins []*ssa.Call, now set, c *ssa.Call) string {
	var at token.Position
	for i, b := range begins {
		if now&(1<<i) != 0 {
			at = in.pass.Fset.Position(b.Pos())
		}
	}
	return fmt.Sprintf("in line %d", at.Line)
}

func beginnings(fn *ssa.Function) (begins []*ssa.Call) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			if c, ok := instr.(*ssa.Call); ok && beginning(c) && len(begins) < maxBegins {
				begins = append(begins, c)
			}
		}
	}
	return begins
}

// openAt returns, for each block, which transactions are open at its beginning on
// every way there: what is open on some ways only cannot be told from what is not.
func (in *inTx) openAt(fn *ssa.Function, begins []*ssa.Call) []set {
	const all = ^set(0)
	open := make([]set, len(fn.Blocks))
	for i := range open {
		open[i] = all // until a way there is known
	}
	open[0] = 0
	if fn.Recover != nil {
		open[fn.Recover.Index] = 0 // from anywhere
	}
	for changed := true; changed; {
		changed = false
		for _, b := range fn.Blocks {
			now := open[b.Index]
			for _, instr := range b.Instrs {
				now = in.after(instr, now, begins)
			}
			for i, next := range b.Succs {
				if met := open[next.Index] & (now &^ failed(b, i, begins)); met != open[next.Index] {
					open[next.Index], changed = met, true
				}
			}
		}
	}
	return open
}

// after returns which transactions are open after an instruction.
func (in *inTx) after(instr ssa.Instruction, now set, begins []*ssa.Call) set {
	switch instr := instr.(type) {
	case *ssa.Call: // not a Defer, which runs at the end, nor a Go, which runs some time
		if i := slices.Index(begins, instr); i >= 0 {
			return now | 1<<i
		}
		ended, all := in.endings.by(instr.Common())
		if all {
			return 0
		}
		return now &^ among(begins, ended)
	case *ssa.MakeClosure:
		if onlyDeferred(instr) {
			return now
		}
		// Whoever runs the closure, and be it only some time, may end what it ends.
		for i, b := range begins {
			if in.endings.ends(instr.Fn.(*ssa.Function), b) {
				now &^= 1 << i
			}
		}
	}
	return now
}

func among(begins []*ssa.Call, values []ssa.Value) (s set) {
	for i, b := range begins {
		if slices.Contains(values, ssa.Value(b)) {
			s |= 1 << i
		}
	}
	return s
}

func onlyDeferred(c *ssa.MakeClosure) bool {
	for _, r := range *c.Referrers() {
		if d, ok := r.(*ssa.Defer); !ok || d.Call.Value != c {
			return false
		}
	}
	return true
}

// failed returns which transactions are not open on the i-th way out of a block, as
// the block has found that they could not be begun: by err != nil or tx == nil.
func failed(b *ssa.BasicBlock, i int, begins []*ssa.Call) set {
	cond, ok := b.Instrs[len(b.Instrs)-1].(*ssa.If)
	if !ok {
		return 0
	}
	op, ok := cond.Cond.(*ssa.BinOp)
	if !ok || op.Op != token.EQL && op.Op != token.NEQ {
		return 0
	}
	v := op.X
	if isNil(v) {
		v = op.Y
	} else if !isNil(op.Y) {
		return 0
	}
	isNilHere := (op.Op == token.EQL) == (i == 0)
	if e, ok := stored(v).(*ssa.Extract); ok && e.Index > 0 {
		c, ok := e.Tuple.(*ssa.Call)
		if ok && !isNilHere {
			return among(begins, []ssa.Value{c})
		}
		return 0
	}
	if isNilHere && isTransaction(v.Type()) {
		found, _ := roots(v)
		return among(begins, found)
	}
	return 0
}

func isNil(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.IsNil()
}

// stored returns what a variable that closures share was last given before it is
// read, if that is in the same block.
func stored(v ssa.Value) ssa.Value {
	read, ok := v.(*ssa.UnOp)
	if !ok {
		return v
	}
	for _, instr := range slices.Backward(read.Block().Instrs[:slices.Index(read.Block().Instrs, ssa.Instruction(read))]) {
		switch instr := instr.(type) {
		case *ssa.Store:
			if instr.Addr == read.X {
				return instr.Val
			}
		case *ssa.Call:
			return v // may run a closure that writes it
		}
	}
	return v
}

// callbacks reports the broadcasts in functions that a call in fn runs in a transaction.
func (in *inTx) callbacks(fn *ssa.Function) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			c, ok := instr.(ssa.CallInstruction)
			if !ok {
				continue
			}
			what, fix := runsInTransaction(c.Common())
			if what == "" {
				continue
			}
			for _, arg := range c.Common().Args {
				if inner := body(arg); inner != nil {
					in.callback(inner, what, fix)
				}
			}
		}
	}
}

func (in *inTx) callback(fn *ssa.Function, what, fix string) {
	for _, b := range fn.Blocks {
		for _, instr := range b.Instrs {
			if c, ok := instr.(*ssa.Call); ok {
				if sent := broadcast(c.Common()); sent != "" {
					in.report(c, "%s inside %s: it may still be rolled back; %s", sent, what, fix)
				}
			}
		}
	}
}

// runsInTransaction says whether a call runs the function that it is given in a
// transaction, and what to do instead of broadcasting there.
func runsInTransaction(c *ssa.CallCommon) (what, fix string) {
	f := calleeOf(c)
	switch {
	case f == nil || f.Pkg() == nil:
		return "", ""
	case inPackage(f, emitPath) && receiverOf(f) == nil && takesFunctionOfOutbox(f):
		return "emit." + f.Name(), "use the outbox, which sends after Commit"
	case strings.HasPrefix(f.Pkg().Path(), "github.com/jackc/pgx") && (f.Name() == "BeginFunc" || f.Name() == "BeginTxFunc"):
		return "pgx." + f.Name(), "broadcast after it, or use emit.TxWith"
	}
	return "", ""
}

// takesFunctionOfOutbox says whether one of f's parameters is a function that is given
// an outbox to use.
func takesFunctionOfOutbox(f *types.Func) bool {
	for p := range f.Signature().Params().Variables() {
		fn, ok := p.Type().Underlying().(*types.Signature)
		if !ok {
			continue
		}
		for q := range fn.Params().Variables() {
			if isNamed(q.Type(), emitPath, "Outbox") {
				return true
			}
		}
	}
	return false
}

// body returns the function of this package that a value is; nil if it is none, or if
// that comes out only when the program runs.
func body(v ssa.Value) *ssa.Function {
	switch v := v.(type) {
	case *ssa.Function:
		return v
	case *ssa.MakeClosure:
		fn := v.Fn.(*ssa.Function)
		if !isBound(fn) {
			return fn
		}
		m, _ := fn.Object().(*types.Func)
		if m == nil {
			return nil
		}
		return fn.Prog.FuncValue(m)
	case *ssa.ChangeType:
		return body(v.X)
	}
	return nil
}
