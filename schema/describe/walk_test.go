package describe

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

type (
	good  struct{ N int }
	inner struct {
		Price complex128 `json:"price"`
		Skip  func()     `json:"-"`
	}
	bad struct {
		Lines []inner           `json:"lines"`
		Done  chan bool         `json:"done,omitempty"`
		By    map[good][]string `json:"by"`
		Free  map[[2]int]func()
	}
	panics    struct{}
	referring struct{}
	number    struct{}
	unfit     struct{}
)

func (panics) JSONSchema() any { panic("on purpose") }
func (referring) JSONSchema() any {
	return map[string]any{"items": map[string]any{"$ref": "#/$defs/X"}}
}
func (number) JSONSchema() any { return 42 }
func (unfit) JSONSchema() any  { return make(chan int) }

func TestOfNamesEventAndField(t *testing.T) {
	catalog := usercast.Catalog{
		{Name: "GOOD", Class: usercast.Buffered, Payload: reflect.TypeFor[good](), Source: "good.go:1"},
		{Name: "BAD", Class: usercast.Buffered, Payload: reflect.TypeFor[map[string]*bad](), Source: "bad.go:2"},
		{Name: "WORSE", Class: usercast.Buffered, Payload: reflect.TypeFor[func()](), Source: "bad.go:3"},
		{Name: "PANICS", Class: usercast.Buffered, Payload: reflect.TypeFor[struct{ P panics }](), Source: "bad.go:4"},
		{Name: "REFERS", Class: usercast.Buffered, Payload: reflect.TypeFor[referring](), Source: "bad.go:5"},
		{Name: "NUMBER", Class: usercast.Buffered, Payload: reflect.TypeFor[*number](), Source: "bad.go:6"},
		{Name: "UNFIT", Class: usercast.Buffered, Payload: reflect.TypeFor[unfit](), Source: "bad.go:7"},
		{Name: "NOTHING", Class: usercast.Buffered, Source: "bad.go:8"},
	}
	d, err := Of(catalog)
	if d != nil || !errors.Is(err, ErrPayload) {
		t.Fatalf("got %v and %v, want ErrPayload alone", d, err)
	}
	for _, want := range []string{
		"BAD (map[string]*describe.bad, defined at bad.go:2): field [].lines[].price: JSON cannot carry a complex128: ",
		"BAD (map[string]*describe.bad, defined at bad.go:2): field [].done: JSON cannot carry a chan bool: change its type, or tag it json:\"-\"",
		"field [].by: JSON cannot carry a map[describe.good][]string: its keys are neither strings nor integers and have no MarshalText",
		"field [].Free: JSON cannot carry a map[[2]int]func()",
		"WORSE (func(), defined at bad.go:3): JSON cannot carry a func()",
		"field P: JSONSchema of describe.panics panicked: on purpose",
		"JSONSchema of describe.referring uses $ref",
		"JSONSchema of describe.number returns 42: want an object or a boolean",
		"JSONSchema of describe.unfit: json: unsupported type",
		"NOTHING (<nil>, defined at bad.go:8): it has no Go type: make definitions by usercast.Define",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got\n%v\nwant in it: %s", err, want)
		}
	}
	if strings.Contains(err.Error(), "GOOD") || strings.Contains(err.Error(), "Skip") {
		t.Errorf("got %v, which blames what is fine", err)
	}
}

// The source that tools carry along is complete: it builds without the rest.
func TestSourceIsComplete(t *testing.T) {
	entries, err := Source.ReadDir(".")
	if err != nil || len(entries) == 0 {
		t.Fatalf("got %v and %v", entries, err)
	}
	for _, e := range entries {
		text, err := Source.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			path, ok := strings.CutPrefix(strings.TrimSpace(line), `"`)
			if ok && strings.Contains(path, ".") && !strings.HasPrefix(path, `github.com/usercast-go/usercast"`) {
				t.Errorf("%s imports %s which a user's module may not have", e.Name(), path)
			}
		}
	}
}

func TestComments(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.go")
	source := `package x

// One is the first.
type One struct {
	A int // a is a
	// b is b
	B, C []struct {
		// deep
		D int
	}
	E map[string]*struct {
		F int // f is f
	}
}

type (
	// Two is the second.
	Two[T any] struct{ X int }
	Three int // trailing
)

//go:generate nothing
type Four struct{}

// Created is sent.
var Created = Define[One]("A")

// Neither of these.
var (
	// Second comment.
	Second = Define[One](
		"B",
	)
	Third = Define[One]("C") // third
	Fourth = Define[One]("D")
)
`
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	d := &Description{}
	typ := func(name string) { d.Types = append(d.Types, Type{Package: "example.com/a.b/x.v2", Name: name}) }
	typ("One")
	typ("Two[int]")
	typ("Three")
	typ("Four")
	typ("Missing")
	d.Types[0].Shape = Shape{Kind: Struct, Fields: []Field{
		{Decl: "example.com/a.b/x.v2.One.A"}, {Decl: "example.com/a.b/x.v2.One.B"},
		{Decl: "example.com/a.b/x.v2.One.C", Shape: Shape{Elem: &Shape{Fields: []Field{{Decl: "example.com/a.b/x.v2.One.C.D"}}}}},
		{Decl: "example.com/a.b/x.v2.One.E.F"}, {Decl: ""}, {Decl: "elsewhere.T.F"},
	}}
	at := func(what string) string { // "file:line"
		before, _, ok := strings.Cut(source, what)
		if !ok {
			t.Fatalf("no %s", what)
		}
		return file + ":" + strconv.Itoa(1+strings.Count(before, "\n"))
	}
	for _, source := range []string{at("var Created"), at(`"B"`), at("Third ="), at("Fourth ="), file + ":1", "nonsense", file + ":x", "/nowhere.go:1"} {
		d.Events = append(d.Events, Event{Source: source})
	}
	d.Events = append(d.Events, Event{Source: at("var Created"), Doc: "its own"})
	reads := 0
	d.AddComments(func(pkg string) []string {
		if reads++; pkg == "example.com/a.b/x.v2" {
			return []string{file, filepath.Join(dir, "missing.go")}
		}
		return nil
	})
	fields := d.Types[0].Shape.Fields
	got := []string{d.Types[0].Doc, d.Types[1].Doc, d.Types[2].Doc, d.Types[3].Doc, d.Types[4].Doc,
		fields[0].Doc, fields[1].Doc, fields[2].Doc, fields[2].Shape.Elem.Fields[0].Doc, fields[3].Doc, fields[4].Doc, fields[5].Doc}
	want := []string{"One is the first.", "Two is the second.", "trailing", "", "",
		"a is a", "b is b", "b is b", "deep", "f is f", "", ""}
	for _, e := range d.Events {
		got = append(got, e.Doc)
	}
	want = append(want, "Created is sent.", "Second comment.", "third", "", "", "", "", "", "its own")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if reads > 4 {
		t.Errorf("asked %d times for files, want once a package", reads)
	}
}
