package describe

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// describesItself says whether a type has a method JSONSchema without parameters
// and with one result: for types whose MarshalJSON nobody else can describe. The
// result may be anything that marshals to JSON Schema, say a json.RawMessage or
// what invopop/jsonschema, which has the same convention, asks for.
func describesItself(t reflect.Type) bool {
	m, ok := reflect.PointerTo(t).MethodByName("JSONSchema")
	return ok && m.Type.NumIn() == 1 && m.Type.NumOut() == 1
}

// ownSchema asks a type for its schema.
func ownSchema(t reflect.Type) (raw json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			raw, err = nil, fmt.Errorf("JSONSchema of %v panicked: %v", t, p)
		}
	}()
	raw, err = json.Marshal(reflect.New(t).MethodByName("JSONSchema").Call(nil)[0].Interface())
	if err != nil {
		return nil, fmt.Errorf("JSONSchema of %v: %v", t, err)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, fmt.Errorf("JSONSchema of %v: %v", t, err)
	}
	switch v.(type) {
	case map[string]any, bool:
	default:
		return nil, fmt.Errorf("JSONSchema of %v returns %s: want an object or a boolean", t, raw)
	}
	if refers(v) {
		return nil, fmt.Errorf("JSONSchema of %v uses $ref: it would point into another document, so write in place what it points to", t)
	}
	return raw, nil
}

// refers says whether a schema has a $ref anywhere. A property of that name has an
// object as its value and is none.
func refers(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			if _, text := member.(string); text && (k == "$ref" || k == "$dynamicRef") || refers(member) {
				return true
			}
		}
	case []any:
		for _, elem := range v {
			if refers(elem) {
				return true
			}
		}
	}
	return false
}
