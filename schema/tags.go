package schema

import (
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/usercast-go/usercast/schema/describe"
)

// tagged applies what a field's jsonschema tags say to its schema s. The library
// reads them: it is shown a struct with a field of the same tags and of a plain
// type, once with them and once without, and what differs is what they say.
func (b *builder) tagged(s *jsonschema.Schema, f describe.Field) *jsonschema.Schema {
	shape := b.resolve(f.Shape)
	t := plainType(shape, b)
	without, with := reflectField(t, ""), reflectField(t, f.Tag)

	bare := *with
	bare.Title, bare.Description, bare.Extras = "", "", nil
	if !reflect.DeepEqual(&bare, without) {
		if s.Ref != "" && shape.Kind != describe.Custom {
			s = b.plain(shape) // the name is not this field's alone
		}
		if s.Items != nil && !reflect.DeepEqual(with.Items, without.Items) {
			s.Items = b.plain(b.resolve(*shape.Elem))
			overlay(s.Items, with.Items, without.Items)
			if shape.Elem.Nullable {
				s.Items = orNull(s.Items)
			}
		}
		with.Items = without.Items
	}
	overlay(s, with, without)
	return s
}

// resolve follows names.
func (b *builder) resolve(s describe.Shape) describe.Shape {
	// A type may be a pointer to itself; nobody can mean one.
	for range b.found.Types {
		if s.Kind != describe.Ref {
			break
		}
		s = b.found.Types[s.Type].Shape
	}
	return s
}

// plainType is a Go type that the library's tags know how to treat like the shape.
func plainType(s describe.Shape, b *builder) reflect.Type {
	switch s.Kind {
	case describe.String, describe.Time, describe.Bytes:
		return reflect.TypeFor[string]()
	case describe.Integer:
		return reflect.TypeFor[int]()
	case describe.Number:
		return reflect.TypeFor[float64]()
	case describe.Bool:
		return reflect.TypeFor[bool]()
	case describe.Array:
		elem := b.resolve(*s.Elem)
		if elem.Kind == describe.Array {
			return reflect.TypeFor[[]any]()
		}
		return reflect.SliceOf(plainType(elem, b))
	}
	return reflect.TypeFor[any]()
}

func reflectField(t reflect.Type, tag string) *jsonschema.Schema {
	r := jsonschema.Reflector{Anonymous: true, DoNotReference: true}
	one := reflect.StructOf([]reflect.StructField{{Name: "V", Type: t, Tag: reflect.StructTag(tag)}})
	if s, ok := r.ReflectFromType(one).Properties.Get("V"); ok {
		return s
	}
	return reflectField(t, "") // jsonschema:"-" hides a field from schemas, not from JSON
}

// overlay sets in s what tags have changed.
func overlay(s, with, without *jsonschema.Schema) {
	dst, a, b := reflect.ValueOf(s).Elem(), reflect.ValueOf(with).Elem(), reflect.ValueOf(without).Elem()
	for i := range dst.NumField() {
		if dst.Type().Field(i).IsExported() && !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			dst.Field(i).Set(a.Field(i))
		}
	}
}
