package vet

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

// references finds definitions, and whatever may send the events that they define.
type references struct {
	pass   *analysis.Pass
	into   *Summary
	places places
}

// places gives the places in the source that the compiled form has no more: of the
// value behind a colon, and of the arguments behind a parenthesis.
type places struct {
	values map[token.Pos]token.Pos
	calls  map[token.Pos]*ast.CallExpr
}

func (r *references) read(in *inspector.Inspector) {
	r.places = places{map[token.Pos]token.Pos{}, map[token.Pos]*ast.CallExpr{}}
	for cur := range in.Root().Preorder((*ast.Ident)(nil), (*ast.BasicLit)(nil), (*ast.BinaryExpr)(nil),
		(*ast.SelectorExpr)(nil), (*ast.CallExpr)(nil), (*ast.KeyValueExpr)(nil)) {
		switch n := cur.Node().(type) {
		case *ast.KeyValueExpr:
			r.places.values[n.Colon] = n.Value.Pos()
		case *ast.CallExpr:
			r.places.calls[n.Lparen] = n
			r.define(cur, n)
			r.mention(cur, n)
		case *ast.Ident:
			if kind, _ := cur.ParentEdge(); kind == edge.SelectorExpr_Sel {
				continue // the selector stands for it
			}
			r.use(cur, n)
			r.mention(cur, n)
		case *ast.SelectorExpr:
			r.use(cur, n.Sel)
			r.mention(cur, n)
		case ast.Expr:
			r.mention(cur, n)
		}
	}
}

// define notes a call of Define or DefineKeyed.
func (r *references) define(cur inspector.Cursor, call *ast.CallExpr) {
	if !r.defines(call) {
		return
	}
	d := Def{Pos: r.pass.Fset.Position(call.Pos())}
	if v := r.pass.TypesInfo.Types[call.Args[0]].Value; v != nil && v.Kind() == constant.String {
		d.Name = constant.StringVal(v)
	}
	if id := holder(cur); id != nil {
		d.Short = id.Name
		if obj := r.pass.TypesInfo.ObjectOf(id); obj != nil && id.Name != "_" && isEventType(obj.Type()) {
			d.Var = variableOf(r.pass.Fset, obj)
			d.Exported = obj.Exported() && isGlobal(obj)
		} else if id.Name == "_" {
			d.Var = "_"
		}
	}
	r.into.Defs = append(r.into.Defs, d)
}

func (r *references) defines(call *ast.CallExpr) bool {
	f, _ := typeutil.Callee(r.pass.TypesInfo, call).(*types.Func)
	return inPackage(f, rootPath) && (f.Name() == "Define" || f.Name() == "DefineKeyed") && len(call.Args) > 0
}

// holder returns the name that is given the value at cur, by a declaration or an
// assignment; nil if something else becomes of it.
func holder(cur inspector.Cursor) *ast.Ident {
	for {
		kind, i := cur.ParentEdge()
		cur = cur.Parent()
		switch kind {
		case edge.ParenExpr_X:
			continue
		case edge.ValueSpec_Values:
			if spec := cur.Node().(*ast.ValueSpec); len(spec.Names) == len(spec.Values) {
				return spec.Names[i]
			}
		case edge.AssignStmt_Rhs:
			if stmt := cur.Node().(*ast.AssignStmt); len(stmt.Lhs) == len(stmt.Rhs) {
				id, _ := stmt.Lhs[i].(*ast.Ident)
				return id
			}
		}
		return nil
	}
}

// variableOf names a variable for all packages.
func variableOf(fset *token.FileSet, obj types.Object) string {
	name := obj.Pkg().Path() + "." + obj.Name()
	if isGlobal(obj) {
		return name
	}
	return fmt.Sprintf("%s@%s", name, fset.Position(obj.Pos()))
}

func isGlobal(obj types.Object) bool { return obj.Parent() == obj.Pkg().Scope() }

// use notes a use of a variable that may send its event.
func (r *references) use(cur inspector.Cursor, id *ast.Ident) {
	v, ok := r.pass.TypesInfo.Uses[id].(*types.Var)
	if ok && v.Pkg() != nil && isEventType(v.Type()) && live(cur) {
		r.into.Live[variableOf(r.pass.Fset, v)] = true
	}
}

// live says whether what is done with an EventType, or with its name, may come to a
// broadcast. Sending it does, and so does whatever passes it on, for where it
// goes is not followed. Looking at its class or comparing its name does not, and
// what is assigned to the blank identifier is gone.
func live(cur inspector.Cursor) bool {
	for {
		kind, _ := cur.ParentEdge()
		cur = cur.Parent()
		switch kind {
		case edge.ParenExpr_X:
			continue
		case edge.SelectorExpr_X:
			method := cur.Node().(*ast.SelectorExpr).Sel.Name
			kind, _ := cur.ParentEdge()
			switch {
			case method == "Class":
				return false
			case kind != edge.CallExpr_Fun || method != "Name" && method != "Except":
				return true
			}
			cur = cur.Parent() // what becomes of the result?
			continue
		case edge.AssignStmt_Lhs, edge.ExprStmt_X, edge.CaseClause_List, edge.SwitchStmt_Tag:
			return false
		case edge.BinaryExpr_X, edge.BinaryExpr_Y:
			op := cur.Node().(*ast.BinaryExpr).Op
			return op != token.EQL && op != token.NEQ
		case edge.AssignStmt_Rhs, edge.ValueSpec_Values:
			return !goesNowhere(cur.Node())
		}
		return true
	}
}

// goesNowhere says whether everything is assigned to the blank identifier.
func goesNowhere(n ast.Node) bool {
	blank := func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return ok && id.Name == "_"
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		for _, e := range n.Lhs {
			if !blank(e) {
				return false
			}
		}
	case *ast.ValueSpec:
		for _, id := range n.Names {
			if !blank(id) {
				return false
			}
		}
	}
	return true
}

// mention notes a constant string. Those that define an event or are only compared
// send none, and the declaration of a constant is none of its uses.
func (r *references) mention(cur inspector.Cursor, e ast.Expr) {
	v := r.pass.TypesInfo.Types[e].Value
	if v == nil || v.Kind() != constant.String {
		return
	}
	name := constant.StringVal(v)
	if len(name) > 128 || r.into.Mentions[name] {
		return
	}
	for up := range cur.Enclosing((*ast.GenDecl)(nil), (*ast.CallExpr)(nil)) {
		switch n := up.Node().(type) {
		case *ast.GenDecl:
			if n.Tok == token.CONST {
				return
			}
		case *ast.CallExpr:
			if r.defines(n) && n.Args[0].Pos() <= e.Pos() && e.End() <= n.Args[0].End() {
				return
			}
		}
	}
	if live(cur) {
		r.into.Mentions[name] = true
	}
}

// hidden notes all words of files that are left out of this build, for another
// system say. What they do is not known, but what they could be about is.
func hidden(pass *analysis.Pass, s *Summary) error {
	for _, name := range pass.IgnoredFiles {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := pass.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if file == nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				s.Hidden[n.Name] = true
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil {
					s.Hidden[text] = true
				}
			}
			return true
		})
	}
	return nil
}
