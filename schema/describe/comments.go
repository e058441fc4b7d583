package describe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// AddComments fills in what Go comments say: of types, of their fields, and of the
// variables that events are assigned to, where Define was given no doc. files
// returns the Go files of a package by its import path; for one that it does not
// know it returns nil. Comments are a help and no more: a file that cannot be read
// is left out.
func (d *Description) AddComments(files func(pkg string) []string) {
	r := &commentReader{files: files, packages: map[string]map[string]string{}}
	for i := range d.Types {
		t := &d.Types[i]
		name, _, _ := strings.Cut(t.Name, "[")
		t.Doc = r.lookup(t.Package + "." + name)
		r.shape(&t.Shape)
	}
	for i := range d.Events {
		e := &d.Events[i]
		r.shape(&e.Payload)
		if e.Doc == "" {
			e.Doc = definitionComment(e.Source)
		}
	}
}

// A commentReader reads each package once.
type commentReader struct {
	files    func(pkg string) []string
	packages map[string]map[string]string // import path → "Type.Field" → text
}

func (r *commentReader) shape(s *Shape) {
	if s.Elem != nil {
		r.shape(s.Elem)
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		f.Doc = r.lookup(f.Decl)
		r.shape(&f.Shape)
	}
}

// lookup returns the comment of "import/path.Type.Field".
func (r *commentReader) lookup(decl string) string {
	slash := strings.LastIndexByte(decl, '/') + 1
	last, name, ok := strings.Cut(decl[slash:], ".")
	for pkg := decl[:slash] + last; ok; {
		if found := r.of(pkg)[name]; found != "" {
			return found
		}
		// The last element of an import path may hold dots: gopkg.in/yaml.v3.
		var more string
		if more, name, ok = strings.Cut(name, "."); ok {
			pkg += "." + more
		}
	}
	return ""
}

func (r *commentReader) of(pkg string) map[string]string {
	found, ok := r.packages[pkg]
	if !ok {
		found = map[string]string{}
		for _, file := range r.files(pkg) {
			if f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution); err == nil {
				typeComments(f, found)
			}
		}
		r.packages[pkg] = found
	}
	return found
}

// typeComments collects the comments of a file's types and their fields.
func typeComments(f *ast.File, into map[string]string) {
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE {
			continue
		}
		for _, spec := range gen.Specs {
			spec := spec.(*ast.TypeSpec)
			doc := spec.Doc
			if doc == nil && len(gen.Specs) == 1 {
				doc = gen.Doc
			}
			put(into, spec.Name.Name, doc, spec.Comment)
			fieldComments(spec.Type, spec.Name.Name, into)
		}
	}
}

// fieldComments looks for structs in a type expression: also behind a pointer or
// in a slice, as long as they have no name of their own.
func fieldComments(expr ast.Expr, name string, into map[string]string) {
	switch x := expr.(type) {
	case *ast.StarExpr:
		fieldComments(x.X, name, into)
	case *ast.ArrayType:
		fieldComments(x.Elt, name, into)
	case *ast.MapType:
		fieldComments(x.Value, name, into)
	case *ast.StructType:
		for _, f := range x.Fields.List {
			for _, n := range f.Names {
				put(into, name+"."+n.Name, f.Doc, f.Comment)
				fieldComments(f.Type, name+"."+n.Name, into)
			}
		}
	}
}

func put(into map[string]string, name string, groups ...*ast.CommentGroup) {
	for _, g := range groups {
		if text := strings.TrimSpace(g.Text()); text != "" {
			into[name] = text
			return
		}
	}
}

// definitionComment returns the comment of the variable that is assigned at
// "file:line".
func definitionComment(source string) string {
	colon := strings.LastIndexByte(source, ':')
	if colon < 0 {
		return ""
	}
	line, err := strconv.Atoi(source[colon+1:])
	if err != nil {
		return ""
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, source[:colon], nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return ""
	}
	found := map[string]string{}
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			if fset.Position(spec.Pos()).Line <= line && line <= fset.Position(spec.End()).Line {
				spec := spec.(*ast.ValueSpec)
				groups := []*ast.CommentGroup{spec.Doc, spec.Comment}
				if len(gen.Specs) == 1 {
					groups = []*ast.CommentGroup{spec.Doc, gen.Doc, spec.Comment}
				}
				put(found, "", groups...)
			}
		}
	}
	return found[""]
}
