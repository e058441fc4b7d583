package describe

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"

	"github.com/usercast-go/usercast"
)

// ErrPayload means a payload that JSON cannot carry.
var ErrPayload = errors.New("schema: payload cannot be sent")

// Of describes a catalog's events. Payloads that encoding/json refuses whatever
// they hold (channels, functions, complex numbers, maps with keys that are no text)
// are an error, which names all such events and fields and wraps [ErrPayload].
func Of(events usercast.Catalog) (*Description, error) {
	w := &walker{index: map[reflect.Type]int{}}
	var errs []error
	for _, def := range events {
		w.problems = nil
		e := Event{Name: def.Name, Class: def.Class.String(), Keyed: def.Keyed, Doc: def.Doc, Source: def.Source}
		if def.Payload == nil {
			w.problem("", "it has no Go type: make definitions by usercast.Define")
		} else {
			e.Payload = w.shape(def.Payload, "", site{addr: def.Payload.Kind() == reflect.Pointer})
		}
		for _, p := range w.problems {
			errs = append(errs, fmt.Errorf("%w: %s (%v, defined at %s): %s", ErrPayload, def.Name, def.Payload, def.Source, p))
		}
		w.found.Events = append(w.found.Events, e)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &w.found, nil
}

// A walker collects types on its way through payloads.
type walker struct {
	found    Description
	index    map[reflect.Type]int // in found.Types
	problems []string             // of the event at hand
}

// A site is where a type stands.
type site struct {
	addr bool   // encoding/json can take the value's address, so that methods of pointers count
	decl string // what declares an unnamed struct: "import/path.Type.Field"
}

func (w *walker) problem(path, text string) {
	if path != "" {
		text = "field " + path + ": " + text
	}
	w.problems = append(w.problems, text)
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// known are types of the standard library and usercast whose JSON is known better
// than their methods tell.
var known = map[reflect.Type]Shape{
	reflect.TypeFor[time.Time]():          {Kind: Time},
	reflect.TypeFor[usercast.Timestamp](): {Kind: Time},
	reflect.TypeFor[json.RawMessage]():    {Kind: Any},
	reflect.TypeFor[json.Number]():        {Kind: Number},
	reflect.TypeFor[*big.Int]():           {Kind: Integer, Nullable: true},
}

// shape describes a type, by the rules and in the order of encoding/json. path is
// the way to it in JSON, for problems.
func (w *walker) shape(t reflect.Type, path string, at site) Shape {
	if s, ok := known[t]; ok {
		return s
	}
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		s := w.shape(t.Elem(), path, site{addr: true, decl: at.decl})
		s.Nullable = s.Kind != Any
		return s
	}
	if t.Kind() == reflect.Interface {
		return Shape{Kind: Any}
	}
	how := marshals(t, at.addr)
	if t.PkgPath() == "" { // unnamed, or Go's own
		return w.written(how, t, path, at)
	}
	if how == unsure && !describesItself(t) {
		return Shape{Kind: Any}
	}
	i, ok := w.index[t]
	if !ok {
		i = len(w.found.Types)
		w.index[t] = i
		w.found.Types = append(w.found.Types, Type{Package: t.PkgPath(), Name: t.Name()})
		s := w.defined(how, t, path, site{decl: t.PkgPath() + "." + bareName(t)})
		w.found.Types[i].Shape = s // which may have moved meanwhile
	}
	null := how == byKind && (t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer)
	return Shape{Kind: Ref, Type: i, Nullable: null}
}

// bareName is a type's name without type arguments.
func bareName(t reflect.Type) string {
	name, _, _ := strings.Cut(t.Name(), "[")
	return name
}

// How encoding/json writes a type.
const (
	byKind = iota // as its kind is written
	byJSON        // MarshalJSON
	byText        // MarshalText
	unsure        // by a method of its pointer, if the sender's value has an address
)

func marshals(t reflect.Type, addr bool) (how int) {
	switch p := reflect.PointerTo(t); {
	case t.Implements(jsonMarshaler):
		return byJSON
	case p.Implements(jsonMarshaler) && addr:
		return byJSON
	case p.Implements(jsonMarshaler):
		return unsure
	case t.Implements(textMarshaler):
		return byText
	case p.Implements(textMarshaler) && addr:
		return byText
	case p.Implements(textMarshaler):
		return unsure
	}
	return byKind
}

// defined describes a type that has a name, for the list of types.
func (w *walker) defined(how int, t reflect.Type, path string, at site) Shape {
	if describesItself(t) {
		raw, err := ownSchema(t)
		if err == nil {
			return Shape{Kind: Custom, Schema: raw}
		}
		w.problem(path, err.Error())
	}
	s := w.written(how, t, path, at)
	s.Nullable = false // that is said where the type is used
	return s
}

// written describes what encoding/json writes for a type in one of its ways.
func (w *walker) written(how int, t reflect.Type, path string, at site) Shape {
	switch how {
	case byText:
		return Shape{Kind: String}
	case byJSON, unsure:
		return Shape{Kind: Any}
	}
	return w.bare(t, path, at)
}

// bare describes a type by its kind.
func (w *walker) bare(t reflect.Type, path string, at site) Shape {
	switch k := t.Kind(); {
	case k == reflect.Bool:
		return Shape{Kind: Bool}
	case isInteger(k):
		return Shape{Kind: Integer, Unsigned: k >= reflect.Uint}
	case k == reflect.Float32 || k == reflect.Float64:
		return Shape{Kind: Number}
	case k == reflect.String:
		return Shape{Kind: String}
	case k == reflect.Struct:
		return w.structure(t, path, at)
	case k == reflect.Pointer: // of a type that has a name
		return w.shape(t.Elem(), path, site{addr: true})
	case k == reflect.Slice && isByte(t.Elem()):
		return Shape{Kind: Bytes, Nullable: true}
	case k == reflect.Slice:
		elem := w.shape(t.Elem(), path+"[]", site{addr: true, decl: at.decl})
		return Shape{Kind: Array, Nullable: true, Elem: &elem}
	case k == reflect.Array:
		n := t.Len()
		elem := w.shape(t.Elem(), path+"[]", at)
		return Shape{Kind: Array, Elem: &elem, Len: &n}
	case k == reflect.Map:
		return w.table(t, path, at)
	}
	w.problem(path, fmt.Sprintf("JSON cannot carry a %v: change its type, or tag it json:\"-\"", t))
	return Shape{Kind: Any}
}

// isByte says whether a slice of t is written in base64.
func isByte(t reflect.Type) bool {
	return t.Kind() == reflect.Uint8 &&
		!reflect.PointerTo(t).Implements(jsonMarshaler) && !reflect.PointerTo(t).Implements(textMarshaler)
}

// table describes a map.
func (w *walker) table(t reflect.Type, path string, at site) Shape {
	s := Shape{Kind: Map, Nullable: true}
	switch k := t.Key(); {
	case k.Kind() == reflect.String, k.Implements(textMarshaler):
	case k.Kind() >= reflect.Uint && k.Kind() <= reflect.Uintptr:
		s.Key = "^[0-9]+$"
	case isInteger(k.Kind()):
		s.Key = "^-?[0-9]+$"
	default:
		w.problem(path, fmt.Sprintf("JSON cannot carry a %v: its keys are neither strings nor integers and have no MarshalText", t))
		return Shape{Kind: Any}
	}
	elem := w.shape(t.Elem(), path+"[]", site{decl: at.decl}) // a map's values have no address
	s.Elem = &elem
	return s
}

// structure describes a struct.
func (w *walker) structure(t reflect.Type, path string, at site) Shape {
	s := Shape{Kind: Struct}
	for _, m := range members(t) {
		f := Field{
			Name:     m.name,
			Optional: m.omitEmpty || m.omitZero || m.viaNil,
			Tag:      schemaTag(m.field.Tag),
		}
		decl := at.decl
		if m.owner.Name() != "" {
			decl = m.owner.PkgPath() + "." + bareName(m.owner)
		}
		if decl != "" {
			f.Decl = decl + "." + m.field.Name
		}
		way := m.name
		if path != "" {
			way = path + "." + m.name
		}
		f.Shape = w.member(m, way, f.Decl)
		s.Fields = append(s.Fields, f)
	}
	return s
}

// member describes the value of a struct's field. Whether it has an address depends
// on who uses the struct, so methods of its pointer are not counted on.
func (w *walker) member(m member, path, decl string) Shape {
	t, drop := m.field.Type, m.omitEmpty || m.omitZero && !hasIsZero(m.field.Type)
	var s Shape
	if _, ok := known[t]; t.Kind() == reflect.Pointer && drop && !ok {
		// Only the outermost nil is dropped: what it points to may be null.
		s = w.shape(t.Elem(), path, site{addr: true, decl: decl})
	} else {
		s = w.shape(t, path, site{decl: decl})
		s.Nullable = s.Nullable && !drop
	}
	if m.quoted {
		s = quote(t, s)
	}
	return s
}

// quote describes what the option "string" makes of a value. It means nothing to
// types that marshal themselves.
func quote(t reflect.Type, s Shape) Shape {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if marshals(t, true) != byKind {
		return s
	}
	return Shape{Kind: String, Nullable: s.Nullable}
}

// hasIsZero says whether the option "omitzero" asks the type itself. A nil pointer
// it never asks.
func hasIsZero(t reflect.Type) bool {
	zeroer := reflect.TypeFor[interface{ IsZero() bool }]()
	return t.Kind() != reflect.Pointer && (t.Implements(zeroer) || reflect.PointerTo(t).Implements(zeroer))
}

// schemaTag keeps the keys of a struct tag that speak of the schema.
func schemaTag(tag reflect.StructTag) string {
	var kept []string
	for _, key := range []string{"jsonschema", "jsonschema_description", "jsonschema_extras"} {
		if v, ok := tag.Lookup(key); ok {
			kept = append(kept, fmt.Sprintf("%s:%q", key, v))
		}
	}
	return strings.Join(kept, " ")
}
