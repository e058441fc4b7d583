// Package schema tells others what an application's events look like: as JSON
// Schema, and as an AsyncAPI document of the whole wire.
//
//	text, err := schema.Of(usercast.Defined())
//
// The schemas say what encoding/json writes: names and options of json tags,
// embedded structs, types that marshal themselves, base64 for bytes. Where Go's nil
// becomes null they say so: pointers, slices and maps may be null, unless omitempty
// or omitzero leaves them out. Every Go type that has a name is one entry of $defs;
// two types of the same name are told apart by their packages.
//
// Struct tags of github.com/invopop/jsonschema count (`jsonschema:"enum=open,enum=closed"`,
// `jsonschema:"description=…"`). A type with a MarshalJSON may have a method
// JSONSchema() that returns its schema, without which anything is allowed for it.
//
// All functions are safe for concurrent use, and the same input gives the same bytes.
package schema

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/invopop/jsonschema"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema/describe"
)

// ErrPayload means a payload that JSON cannot carry.
var ErrPayload = describe.ErrPayload

// Of returns JSON Schema 2020-12 for the payloads of events, indented. The
// document's own schema is of an object with a property for each event, so that
// "#/properties/PENDING_CREATED" is the schema of that event's payload; the types are
// in "#/$defs". A payload that JSON cannot carry is an error that names the event
// and the field and wraps [ErrPayload].
func Of(events usercast.Catalog) ([]byte, error) {
	d, err := describe.Of(events)
	if err != nil {
		return nil, err
	}
	return FromDescription(d)
}

// FromDescription is [Of] for events that another program has described, with
// their Go comments if [describe.Description.AddComments] has brought them.
func FromDescription(d *describe.Description) ([]byte, error) {
	b := &builder{found: d, names: names(d.Types), refs: "#/$defs/"}
	root := &jsonschema.Schema{
		Version:     jsonschema.Version,
		Title:       "Payloads",
		Description: "Each property is an event, by its type on the wire; its schema is that of the event's payload.",
		Type:        "object",
		Properties:  jsonschema.NewProperties(),
		Definitions: b.definitions(),
	}
	for _, e := range d.Events {
		root.Properties.Set(e.Name, b.documented(b.shape(e.Payload), e.Doc))
	}
	return indent(root)
}

// indent is how all documents are written: for people, and for a diff.
func indent(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return b.Bytes(), nil
}
