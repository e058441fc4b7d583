package usercast

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"unicode/utf8"
)

// An encoder marshals payloads into a buffer of its own, which the frame is then
// copied from: encoding/json would allocate a result that we throw away.
type encoder struct {
	buf  bytes.Buffer
	json *json.Encoder
}

var encoders = sync.Pool{New: func() any {
	e := new(encoder)
	e.json = json.NewEncoder(&e.buf)
	e.json.SetEscapeHTML(false) // the frame goes to JSON.parse, never into HTML
	return e
}}

func getEncoder() *encoder {
	e := encoders.Get().(*encoder)
	e.buf.Reset()
	return e
}

// release keeps the buffer for the next event, unless a rare giant made it large.
func (e *encoder) release() {
	if e.buf.Cap() <= 64<<10 {
		encoders.Put(e)
	}
}

// payload returns the event's payload as JSON in valid UTF-8; the bytes are the
// encoder's. Nothing has been changed anywhere when it returns an error.
func (e *encoder) payload(ev *Event) (_ []byte, err error) {
	if raw, ok := ev.Payload.(json.RawMessage); ok && raw != nil {
		if err := validJSON(raw); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrPayload, ev.Type, err)
		}
		return raw, nil
	}
	defer func() {
		// A MarshalJSON of the caller's. The stack goes into the error, so that
		// whoever logs the error can find the line.
		if p := recover(); p != nil {
			e.buf = bytes.Buffer{} // what the panic left in it is nobody's
			err = fmt.Errorf("%w: %w: %s: marshalling: %v\n%s", ErrPayload, ErrPanic, ev.Type, p, debug.Stack())
		}
	}()
	if err := e.json.Encode(ev.Payload); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPayload, ev.Type, err)
	}
	b := bytes.TrimSuffix(e.buf.Bytes(), []byte{'\n'})
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: %s: it is not UTF-8", ErrPayload, ev.Type)
	}
	// encoding/json writes this escape for bytes that are not UTF-8, and would so
	// lose them silently. A caller's own MarshalJSON may write it too: look closer.
	if bytes.Contains(b, []byte(`\ufffd`)) && hasInvalidString(reflect.ValueOf(ev.Payload)) {
		return nil, fmt.Errorf("%w: %s: a string in it is not UTF-8", ErrPayload, ev.Type)
	}
	return b, nil
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// hasInvalidString walks what encoding/json has just marshalled, so it ends, and
// says whether a string in it is not UTF-8. Types that marshal themselves answer
// for themselves.
func hasInvalidString(v reflect.Value) bool {
	if !v.IsValid() || v.Type().Implements(jsonMarshaler) || v.Type().Implements(textMarshaler) {
		return false
	}
	switch v.Kind() {
	case reflect.String:
		return !utf8.ValidString(v.String())
	case reflect.Pointer, reflect.Interface:
		return hasInvalidString(v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return false // base64
		}
		for i := range v.Len() {
			if hasInvalidString(v.Index(i)) {
				return true
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if hasInvalidString(it.Key()) || hasInvalidString(it.Value()) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && hasInvalidString(v.Field(i)) {
				return true
			}
		}
	}
	return false
}
