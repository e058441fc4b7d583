package usercast

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// A frame is one WebSocket frame as it goes to the socket (RFC 6455 §5.2):
// header and JSON text, unmasked. It is built once per event, before any lock,
// with room for the timestamp; the log stamps it in place and from then on it is
// shared, read-only, by the log and every connection.
type draft struct {
	frame   []byte
	stampAt int // where the timestamp's digits go
	class   Class
	key     string
	except  string
	def     *definition // nil: a type that is not defined
}

// scopeAll marks what BroadcastAll sends: such timestamps belong to another log.
const scopeAll = "all"

const (
	finText  = 0x81 // FIN and opcode 1
	finClose = 0x88
	finPing  = 0x89
)

// pingFrame carries no payload: what counts as the answer is any inbound byte.
var pingFrame = []byte{finPing, 0}

// pongTextFrame answers the text "ping" that old clients send.
var pongTextFrame = []byte{finText, 4, 'p', 'o', 'n', 'g'}

// newDraft encodes an event as a frame without its timestamp. maxBytes bounds the JSON.
func newDraft(ev *Event, class Class, scope string, maxBytes int) (draft, error) {
	enc := getEncoder()
	defer enc.release()
	payload, err := enc.payload(ev)
	if err != nil {
		return draft{}, err
	}
	const envelope = `{"type":"","payload":,"timestamp":"","class":"transient","key":"","scope":"all"}`
	size := len(envelope) + len(timestampLayout) + len(ev.Type) + len(payload) + len(ev.Key)
	b := make([]byte, 0, maxHeader+size)
	b = b[:maxHeader] // the header is written last, when the length is known
	b = append(b, `{"type":"`...)
	b = append(b, ev.Type...)
	b = append(b, `","payload":`...)
	b = append(b, payload...)
	b = append(b, `,"timestamp":"`...)
	stampAt := len(b)
	b = append(b, timestampLayout...)
	b = append(b, '"')
	if class != Buffered {
		b = append(b, `,"class":"`...)
		b = append(b, class.String()...)
		b = append(b, '"')
	}
	if ev.Key != "" {
		b = append(b, `,"key":`...)
		b = appendString(b, ev.Key)
	}
	if scope != "" {
		b = append(b, `,"scope":"`...)
		b = append(b, scope...)
		b = append(b, '"')
	}
	b = append(b, '}')

	if n := len(b) - maxHeader; n > maxBytes {
		return draft{}, fmt.Errorf("%w: %s: %d bytes of JSON, Config.MaxEventBytes is %d", ErrTooLarge, ev.Type, n, maxBytes)
	}
	b, cut := putHeader(b)
	return draft{frame: b, stampAt: stampAt - cut, class: class, key: ev.Key, except: ev.Except}, nil
}

// appendString appends s as JSON. Most keys need no escapes and no allocation.
func appendString(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // cannot fail on a string
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// stamp writes the timestamp into the frame. Only the log calls it, once, before
// anyone else sees the frame.
func (d *draft) stamp(ts Timestamp) {
	ts.put(d.frame[d.stampAt : d.stampAt+len(timestampLayout)])
}

// clone copies the frame, for another log to stamp.
func (d *draft) clone() draft {
	c := *d
	c.frame = append([]byte(nil), d.frame...)
	return c
}

// maxHeader is the longest header of an unmasked frame.
const maxHeader = 10

// putHeader writes the header of a text frame right before the JSON that starts
// at b[maxHeader], and returns the frame and how many bytes it does without.
func putHeader(b []byte) (frame []byte, cut int) {
	n := len(b) - maxHeader
	switch {
	case n < 126:
		cut = maxHeader - 2
		b[cut+1] = byte(n)
	case n <= 0xffff:
		cut = maxHeader - 4
		b[cut+1] = 126
		binary.BigEndian.PutUint16(b[cut+2:], uint16(n))
	default:
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
	b[cut] = finText
	return b[cut:], cut
}

// hubFrame builds one of the hub's own events. A zero timestamp and an empty
// scope are left out.
func hubFrame(typ string, payload any, ts Timestamp, scope string) []byte {
	b := make([]byte, maxHeader, 128)
	b = append(b, `{"type":"`...)
	b = append(b, typ...)
	b = append(b, `","payload":`...)
	p, err := json.Marshal(payload)
	if err != nil {
		p = []byte("null") // cannot happen: every payload is a plain struct of this package
	}
	b = append(b, p...)
	if ts != 0 {
		b = append(b, `,"timestamp":"`...)
		n := len(b)
		b = append(b, timestampLayout...)
		ts.put(b[n:])
		b = append(b, '"')
	}
	if scope != "" {
		b = append(b, `,"scope":"`...)
		b = append(b, scope...)
		b = append(b, '"')
	}
	b = append(b, '}')
	b, _ = putHeader(b)
	return b
}

// closeFrame builds a close frame (RFC 6455 §5.5.1).
func closeFrame(code int, reason string) []byte {
	reason = closeReason(reason)
	b := make([]byte, 4, 4+len(reason))
	b[0], b[1] = finClose, byte(2+len(reason))
	binary.BigEndian.PutUint16(b[2:], uint16(code))
	return append(b, reason...)
}

// validJSON says whether raw JSON can stand in a frame: a browser fails the whole
// connection at the first text frame that is not UTF-8.
func validJSON(b []byte) error {
	switch {
	case !utf8.Valid(b):
		return fmt.Errorf("it is not UTF-8")
	case !json.Valid(b):
		return fmt.Errorf("it is not valid JSON")
	}
	return nil
}
