package schema

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/usercast-go/usercast"
)

// The oracle is encoding/json: whatever it writes for a value of a type must fit
// the type's schema, and what the schema allows beyond that must really happen.

// define makes a catalog of one event. The process's own is not touched.
func define(t reflect.Type) usercast.Catalog {
	return usercast.Catalog{{Name: "EVENT", Class: usercast.Buffered, Payload: t, Source: "here.go:1"}}
}

// compile returns a validator for the event's payload that also refuses properties
// that the schema does not name, and the payload's schema.
func compile(t *testing.T, typ reflect.Type) (*validator.Schema, map[string]any) {
	t.Helper()
	text, err := Of(define(typ))
	if err != nil {
		t.Fatalf("%v: %v", typ, err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	seal(doc)
	c := validator.NewCompiler()
	c.AssertFormat()
	c.AssertContent()
	if err := c.AddResource("mem:doc", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:doc#/properties/EVENT") // checks the document against its metaschema, too
	if err != nil {
		t.Fatalf("%v: %v\n%s", typ, err, text)
	}
	return s, doc.(map[string]any)
}

// seal forbids what a struct does not have.
func seal(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		_, more := s["additionalProperties"]
		if _, object := s["$schema"]; s["type"] == "object" && !more && !object {
			s["additionalProperties"] = false
		}
		for _, member := range s {
			seal(member)
		}
	case []any:
		for _, elem := range s {
			seal(elem)
		}
	}
}

// A maker makes random types and values.
type maker struct{ *rand.Rand }

var leaves = []reflect.Type{
	reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int8](),
	reflect.TypeFor[uint](), reflect.TypeFor[uint16](), reflect.TypeFor[uintptr](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](), reflect.TypeFor[usercast.Timestamp](),
	reflect.TypeFor[json.RawMessage](), reflect.TypeFor[json.Number](), reflect.TypeFor[[]byte](), reflect.TypeFor[[2]byte](),
	reflect.TypeFor[any](), reflect.TypeFor[struct{}](),
	reflect.TypeFor[byText](), reflect.TypeFor[byPointerText](), reflect.TypeFor[byJSON](), reflect.TypeFor[byPointerJSON](),
	reflect.TypeFor[names1](), reflect.TypeFor[table1](), reflect.TypeFor[word](), reflect.TypeFor[Outer](), reflect.TypeFor[loop](),
	reflect.TypeFor[zeroes](), reflect.TypeFor[bits](), reflect.TypeFor[byJSONNumber](), reflect.TypeFor[byTextSlice](),
}

type (
	names1 []string
	table1 map[int]*word
	word   string
	zeroes []int
	bits   []byte
	loop   struct {
		Next *loop           `json:"next"`
		All  []loop          `json:"all,omitempty"`
		By   map[string]loop `json:"by,omitzero"`
	}
	byJSONNumber  int
	byTextSlice   []byte
	byText        struct{ N int }
	byPointerText struct{ N int }
	byJSON        struct{ N int }
	byPointerJSON struct{ N int }
)

func (byJSONNumber) MarshalJSON() ([]byte, error)     { return []byte(`[7]`), nil }
func (byTextSlice) MarshalText() ([]byte, error)      { return []byte("x"), nil }
func (zeroes) IsZero() bool                           { return false }
func (b byText) MarshalText() ([]byte, error)         { return fmt.Append(nil, b.N), nil }
func (b *byPointerText) MarshalText() ([]byte, error) { return fmt.Append(nil, b.N), nil }
func (b byJSON) MarshalJSON() ([]byte, error)         { return fmt.Appendf(nil, `{"n":[%d]}`, b.N), nil }
func (b *byPointerJSON) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"n":[%d]}`, b.N), nil
}

// Structs that embed, in the ways that hide and that conflict.
type (
	Outer struct {
		Inner
		*Deep
		inner2
		Named `json:"named"`
		X     string `json:"x"`
		Both
		Left
		Right
	}
	Left   struct{ Middle }
	Right  struct{ Middle }
	Middle struct{ M int }
	Inner  struct{ A, X, Twice int }
	Both   struct{ Twice int }
	inner2 struct {
		B     int `json:"b,omitempty"`
		Hides int `json:"H"`
	}
	Deep struct {
		H  int
		C  *int `json:"c"`
		In struct {
			Inner
			*Both
		}
	}
	Named struct{ N []int }
)

// typ makes a type of bounded depth.
func (m maker) typ(depth int) reflect.Type {
	if depth == 0 || m.IntN(4) == 0 {
		return leaves[m.IntN(len(leaves))]
	}
	switch m.IntN(6) {
	case 0:
		return reflect.PointerTo(m.typ(depth - 1))
	case 1:
		return reflect.SliceOf(m.typ(depth - 1))
	case 2:
		return reflect.ArrayOf(m.IntN(3), m.typ(depth-1))
	case 3:
		keys := []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[int8](), reflect.TypeFor[uint](), reflect.TypeFor[byText](), reflect.TypeFor[word]()}
		return reflect.MapOf(keys[m.IntN(len(keys))], m.typ(depth-1))
	}
	fields := make([]reflect.StructField, m.IntN(5))
	for i := range fields {
		names := []string{"", "a", "b", "c d", "-", "$ref", "größe", "<&>", "type"}
		tag := names[m.IntN(len(names))]
		for _, option := range []string{"omitempty", "omitzero", "string"} {
			if m.IntN(4) == 0 {
				tag += "," + option
			}
		}
		fields[i] = reflect.StructField{Name: string(rune('A' + i)), Type: m.typ(depth - 1), Tag: reflect.StructTag(fmt.Sprintf("json:%q", tag))}
	}
	return reflect.StructOf(fields)
}

// fill sets v to a random value that JSON can carry. Half of what can be nil is.
func (m maker) fill(v reflect.Value, depth int) {
	if !v.CanSet() {
		return
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf([]time.Time{{}, time.Unix(m.Int64N(4e9), m.Int64N(1e9))}[m.IntN(2)]))
		return
	case usercast.Timestamp:
		v.SetInt(m.Int64N(2) * m.Int64N(4e15))
		return
	case json.RawMessage:
		v.Set(reflect.ValueOf([]json.RawMessage{nil, []byte("null"), []byte(`{"a":[1,null]}`)}[m.IntN(3)]))
		return
	case json.Number:
		v.SetString([]string{"", "1", "-2.5e3"}[m.IntN(3)])
		return
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice || v.Kind() == reflect.Map || v.Kind() == reflect.Interface {
		if m.IntN(2) == 0 || depth <= 0 {
			v.SetZero()
			return
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(m.IntN(2) == 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(m.IntN(3) - 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(m.IntN(2)))
	case reflect.Float32, reflect.Float64:
		v.SetFloat([]float64{0, -1.5, 3e20}[m.IntN(3)])
	case reflect.String:
		v.SetString([]string{"", "x", "\u2028\"\\", "12"}[m.IntN(4)])
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{1, "x", nil}[m.IntN(2)]))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		m.fill(v.Elem(), depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), m.IntN(3), 3))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			m.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range m.IntN(3) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			m.fill(key, depth-1)
			m.fill(elem, depth-1)
			v.SetMapIndex(key, elem)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			m.fill(v.Field(i), depth-1)
		}
	}
}

// check validates many values of a type, and returns where null was seen and which
// members were missing: "$.a[].b".
func (m maker) check(t *testing.T, typ reflect.Type, values int) (schema map[string]any, nulls, missing map[string]bool) {
	t.Helper()
	s, doc := compile(t, typ)
	w := &witness{doc: doc, nulls: map[string]bool{}, missing: map[string]bool{}}
	for range values {
		v := reflect.New(typ).Elem()
		m.fill(v, 6)
		text, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatalf("%v: the test's value does not marshal: %v", typ, err)
		}
		value, err := validator.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			schema, _ := Of(define(typ))
			t.Fatalf("%v\nwrites %s\nwhich its schema refuses: %v\n%s", typ, text, err, schema)
		}
		w.see(doc["properties"].(map[string]any)["EVENT"], value, "$", 12)
	}
	return doc, w.nulls, w.missing
}

func TestPropertyWhatIsWrittenFits(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	for _, typ := range leaves {
		m.check(t, typ, 50)
		m.check(t, reflect.PointerTo(typ), 50)
		m.check(t, reflect.SliceOf(typ), 50)
		m.check(t, reflect.MapOf(reflect.TypeFor[string](), typ), 50)
	}
	n := 1000
	if testing.Short() {
		n = 200
	}
	for range n {
		m.check(t, m.typ(4), 20)
	}
}

// What a schema allows must happen: a schema that allows null everywhere would pass
// the test above, and cost every consumer a check for nothing.
func TestPropertyWhatIsAllowedHappens(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(3, 4))}
	for range 150 {
		typ := m.typ(2)
		doc, nulls, missing := m.check(t, typ, 600)
		for _, path := range claims(doc, doc["properties"].(map[string]any)["EVENT"], "$", 3) {
			kind, at, _ := strings.Cut(path, " ")
			if (kind == "null" && !nulls[at] || kind == "missing" && !missing[at]) && !coarse(typ, 6) {
				schema, _ := Of(define(typ))
				t.Errorf("%v\nnever has %s, which its schema allows:\n%s", typ, path, schema)
			}
		}
	}
}

// coarse says whether a type has a field where the schema takes a tag at its word:
// omitempty never leaves out a struct or an array of some length, and omitzero
// leaves out an array whose elements are all nil.
func coarse(t reflect.Type, depth int) bool {
	if depth == 0 {
		return false
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Array:
		return coarse(t.Elem(), depth-1)
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			k := f.Type.Kind()
			omits := strings.Contains(string(f.Tag), "omit") && (k == reflect.Struct || k == reflect.Array || f.Type == reflect.TypeFor[zeroes]())
			if omits || coarse(f.Type, depth-1) {
				return true
			}
		}
	}
	return false
}

// A witness notes what values hold, along their schema.
type witness struct {
	doc            map[string]any
	nulls, missing map[string]bool
}

// deref follows a reference, and the part of a nullable schema that is not null.
func deref(doc map[string]any, schema any) (s map[string]any, nullable bool) {
	s, _ = schema.(map[string]any)
	for s != nil {
		if ref, ok := s["$ref"].(string); ok {
			s, _ = doc["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
		} else if either, ok := s["anyOf"].([]any); ok {
			s, nullable = either[0].(map[string]any), true
		} else {
			break
		}
	}
	return s, nullable
}

func (w *witness) see(schema, value any, path string, depth int) {
	s, _ := deref(w.doc, schema)
	if value == nil {
		w.nulls[path] = true
	}
	if s == nil || depth == 0 {
		return
	}
	switch v := value.(type) {
	case []any:
		for _, elem := range v {
			w.see(s["items"], elem, path+"[]", depth-1)
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for name, member := range properties {
			if value, ok := v[name]; ok {
				w.see(member, value, path+"."+name, depth-1)
			} else {
				w.missing[path+"."+name] = true
			}
		}
		if s["additionalProperties"] != false {
			for _, value := range v {
				w.see(s["additionalProperties"], value, path+"{}", depth-1)
			}
		}
	}
}

// claims lists what a schema allows: "null $.a", "missing $.b".
func claims(doc map[string]any, schema any, path string, depth int) (list []string) {
	s, nullable := deref(doc, schema)
	if nullable {
		list = append(list, "null "+path)
	}
	if s == nil || depth == 0 {
		return list
	}
	if items, ok := s["items"]; ok && s["maxItems"] != json.Number("0") {
		list = append(list, claims(doc, items, path+"[]", depth-1)...)
	}
	if more, ok := s["additionalProperties"].(map[string]any); ok {
		list = append(list, claims(doc, more, path+"{}", depth-1)...)
	}
	required := fmt.Sprint(s["required"])
	properties, _ := s["properties"].(map[string]any)
	for name, member := range properties {
		if !strings.Contains(" "+strings.Trim(required, "[]")+" ", " "+name+" ") {
			list = append(list, "missing "+path+"."+name)
		}
		list = append(list, claims(doc, member, path+"."+name, depth-1)...)
	}
	return list
}

var _ = []any{encoding.TextMarshaler(byText{}), encoding.TextMarshaler(&byPointerText{}), json.Marshaler(byJSON{}), json.Marshaler(&byPointerJSON{})}
