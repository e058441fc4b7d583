package schema

import (
	"encoding/json"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/usercast-go/usercast/schema/describe"
)

// A builder turns shapes into schemas.
type builder struct {
	found *describe.Description
	names []string // of found.Types
	refs  string   // what a reference begins with: "#/$defs/"
	// strictRefs: nothing may stand beside a $ref. JSON Schema allows it since 2019-09;
	// AsyncAPI does not.
	strictRefs bool
}

// definitions are the schemas of all types that have a name.
func (b *builder) definitions() jsonschema.Definitions {
	defs := jsonschema.Definitions{}
	for i, t := range b.found.Types {
		s, text := b.plain(t.Shape), t.Doc
		if text == "" && reflect.DeepEqual(*s, jsonschema.Schema{}) {
			text = "Anything: the Go type marshals itself." // true alone is no schema to AsyncAPI
		}
		defs[b.names[i]] = b.documented(s, text)
	}
	return defs
}

// shape is the schema of a shape where it is used.
func (b *builder) shape(s describe.Shape) *jsonschema.Schema {
	if s.Nullable {
		return orNull(b.plain(s))
	}
	return b.plain(s)
}

func orNull(s *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{s, {Type: "null"}}}
}

// plain is the schema of a shape that is not null. The caller owns it.
func (b *builder) plain(s describe.Shape) *jsonschema.Schema {
	switch s.Kind {
	case describe.String, describe.Bool, describe.Number:
		return &jsonschema.Schema{Type: s.Kind}
	case describe.Integer:
		n := &jsonschema.Schema{Type: "integer"}
		if s.Unsigned {
			n.Minimum = "0"
		}
		return n
	case describe.Bytes:
		return &jsonschema.Schema{Type: "string", ContentEncoding: "base64"}
	case describe.Time:
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	case describe.Array:
		a := &jsonschema.Schema{Type: "array", Items: b.shape(*s.Elem)}
		if s.Len != nil {
			n := uint64(*s.Len)
			a.MinItems, a.MaxItems = &n, &n
		}
		return a
	case describe.Map:
		m := &jsonschema.Schema{Type: "object", AdditionalProperties: b.shape(*s.Elem)}
		if s.Key != "" {
			m.PropertyNames = &jsonschema.Schema{Pattern: s.Key}
		}
		return m
	case describe.Struct:
		return b.structure(s)
	case describe.Ref:
		return &jsonschema.Schema{Ref: b.refs + b.names[s.Type]}
	case describe.Custom:
		return custom(s.Schema)
	}
	return new(jsonschema.Schema) // anything
}

// structure is an object. It allows properties that it does not name: a consumer
// that validates must not fail the day a field is added.
func (b *builder) structure(s describe.Shape) *jsonschema.Schema {
	o := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties()}
	for _, f := range s.Fields {
		o.Properties.Set(f.Name, b.field(f))
		if !f.Optional {
			o.Required = append(o.Required, f.Name)
		}
	}
	if len(s.Fields) == 0 {
		o.Properties = nil
	}
	return o
}

func (b *builder) field(f describe.Field) *jsonschema.Schema {
	s := b.plain(f.Shape)
	if f.Tag != "" {
		s = b.tagged(s, f)
	}
	// A description is of the field, not of the part of it that is not null. What a
	// tag says goes before the comment.
	text := s.Description
	s.Description = ""
	if text == "" {
		text = f.Doc
	}
	if f.Shape.Nullable {
		s = orNull(s)
	}
	return b.documented(s, text)
}

// documented adds a description, unless the schema is a type's own and has one.
func (b *builder) documented(s *jsonschema.Schema, text string) *jsonschema.Schema {
	if _, has := s.Extras["description"]; text != "" && !has {
		s.Description = text
	}
	return b.apart(s)
}

// apart moves a reference away from what stands beside it, where that is forbidden.
func (b *builder) apart(s *jsonschema.Schema) *jsonschema.Schema {
	beside := *s
	beside.Ref = ""
	if s.Ref == "" || !b.strictRefs || reflect.DeepEqual(beside, jsonschema.Schema{}) {
		return s
	}
	beside.AllOf = append([]*jsonschema.Schema{{Ref: s.Ref}}, s.AllOf...)
	return &beside
}

// custom wraps a type's own schema as it is: Schema does not know all keywords.
func custom(raw json.RawMessage) *jsonschema.Schema {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		if string(raw) == "false" {
			return &jsonschema.Schema{Not: new(jsonschema.Schema)}
		}
		return new(jsonschema.Schema)
	}
	s := &jsonschema.Schema{Extras: map[string]any{}}
	for k, v := range members {
		s.Extras[k] = v
	}
	return s
}
