// Package describe says what encoding/json makes of the payloads of events, in
// plain data: [Of] walks the Go types of a catalog, and what it returns can be
// marshalled, kept and sent to another process.
//
// It stands between the types and their schemas because the two are often not in
// one program. The types live in the user's module, and a tool that wants them has
// to build and run a program there: in whatever version, workspace or vendor mode
// that module is, and without adding requirements to it. So this package imports
// the standard library and usercast, which the user's module has, and a tool can
// carry its source along: see [Source].
package describe

import "encoding/json"

// A Description is what is known of events and of the types of their payloads.
type Description struct {
	Events []Event `json:"events"` // ordered by name
	Types  []Type  `json:"types"`  // defined types, in the order in which the events lead to them
}

// An Event is a definition without its Go type.
type Event struct {
	Name    string `json:"name"`
	Class   string `json:"class"` // buffered, transient, latest
	Keyed   bool   `json:"keyed,omitempty"`
	Doc     string `json:"doc,omitempty"`
	Source  string `json:"source,omitempty"` // "file:line" of its Define
	Payload Shape  `json:"payload"`
}

// A Type is a Go type that has a name: it is described once, and shapes refer to it.
type Type struct {
	Package string `json:"package"`       // import path
	Name    string `json:"name"`          // with its type arguments, as reflect writes them
	Doc     string `json:"doc,omitempty"` // see [Description.AddComments]
	Shape   Shape  `json:"shape"`
}

// Kinds of shapes.
const (
	Any     = "any"     // whatever a MarshalJSON or an interface brings
	String  = "string"  //
	Bool    = "boolean" //
	Integer = "integer" //
	Number  = "number"  // with a fraction, perhaps
	Bytes   = "bytes"   // a string in base64
	Time    = "time"    // a string in RFC 3339
	Array   = "array"   // Elem, Len
	Map     = "map"     // an object of keys that are data: Elem, Key
	Struct  = "struct"  // an object of Fields
	Ref     = "ref"     // the shape of Types[Type]
	Custom  = "custom"  // Schema, by the type's own word
)

// A Shape is the JSON that encoding/json writes for a Go type.
type Shape struct {
	Kind     string          `json:"kind"`
	Nullable bool            `json:"nullable,omitempty"` // it may be null instead: a nil pointer, slice or map
	Unsigned bool            `json:"unsigned,omitempty"` // of an Integer
	Elem     *Shape          `json:"elem,omitempty"`
	Len      *int            `json:"len,omitempty"` // of a Go array; nil: any number of elements
	Key      string          `json:"key,omitempty"` // pattern of a Map's keys, a regular expression; "": all
	Fields   []Field         `json:"fields,omitempty"`
	Type     int             `json:"type,omitempty"`
	Schema   json.RawMessage `json:"schema,omitempty"` // JSON Schema without $ref
}

// A Field is a member of a JSON object that stands for a struct.
type Field struct {
	Name     string `json:"name"`               // in JSON
	Optional bool   `json:"optional,omitempty"` // the member may be missing
	Tag      string `json:"tag,omitempty"`      // the struct tag's key jsonschema and its like
	Decl     string `json:"decl,omitempty"`     // where it is declared: "import/path.Type.Field"
	Doc      string `json:"doc,omitempty"`      // see [Description.AddComments]
	Shape    Shape  `json:"shape"`
}
