package usercast

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what names an event. They keep a frame's envelope small and let
// every name go into logs, metrics and URLs.
const (
	MaxUserIDBytes = 128
	MaxTypeBytes   = 128
	MaxKeyBytes    = 256
	MaxDeviceBytes = 64
)

// An Event is something that happened to a user's data. It is a plain value:
// the hub reads it during the call and keeps nothing of it but the encoded frame.
type Event struct {
	// Type names what happened, "PENDING_CREATED": 1 to 128 printable ASCII
	// characters without space, quote and backslash. Types that begin with
	// "hub." are the hub's own and refused.
	Type string
	// Payload is marshalled once by encoding/json, before any lock is taken;
	// a json.RawMessage goes as it is. nil becomes null.
	Payload any
	// Key names the thing whose newest value matters, "job:42". A transient
	// event with a Key is a latest event; a buffered event with the same Key
	// clears that value. At most 256 bytes of UTF-8.
	Key string
	// Except is the device ID (or connection ID) that caused the event and
	// needs no echo, live or replayed. At most 64 bytes.
	Except string
}

// A Class says what becomes of an event after it was sent to the connected devices.
type Class uint8

const (
	// Buffered events are kept in the user's ring and replayed after a reconnect.
	Buffered Class = iota + 1
	// Transient events reach who is connected and are never replayed.
	Transient
	// Latest events are transient, but the newest value of each Key is kept and
	// sent to every device that connects.
	Latest
)

// String returns the class as the wire writes it.
func (c Class) String() string {
	switch c {
	case Buffered:
		return "buffered"
	case Transient:
		return "transient"
	case Latest:
		return "latest"
	}
	return "Class(" + strconv.Itoa(int(c)) + ")"
}

// A Timestamp orders the events of one user: microseconds since the Unix epoch,
// strictly increasing per user. It is also the cursor by which a client resumes.
// On the wire it is RFC 3339 in UTC with exactly six fractional digits.
type Timestamp int64

// timestampLayout has a fixed width, so that a frame can be encoded before its
// stamp is known.
const timestampLayout = "2006-01-02T15:04:05.000000Z"

// maxTimestamp is the last microsecond that four digits of a year can write.
const maxTimestamp Timestamp = 253402300799_999999

// Time returns the timestamp as a time in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMicro(int64(t)).UTC() }

// String returns the wire form, "2026-11-22T20:53:52.123456Z".
func (t Timestamp) String() string { return t.Time().Format(timestampLayout) }

// MarshalText implements [encoding.TextMarshaler]; JSON uses it too.
func (t Timestamp) MarshalText() ([]byte, error) {
	if t < 0 || t > maxTimestamp {
		return nil, fmt.Errorf("usercast: timestamp %d is outside the years 1970 to 9999", int64(t))
	}
	var b [len(timestampLayout)]byte
	t.put(b[:])
	return b[:], nil
}

// UnmarshalText implements [encoding.TextUnmarshaler] by [ParseTimestamp].
func (t *Timestamp) UnmarshalText(b []byte) error {
	v, err := ParseTimestamp(string(b))
	if err == nil {
		*t = v
	}
	return err
}

// ParseTimestamp reads RFC 3339 with any number of fractional digits and any
// offset. Digits beyond the sixth are cut, never rounded up: a cursor that errs
// must err towards replaying. Years before 1970 and after 9999 are errors.
func ParseTimestamp(s string) (Timestamp, error) {
	if len(s) > 64 {
		return 0, fmt.Errorf("usercast: timestamp of %d bytes, want RFC 3339", len(s))
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("usercast: timestamp %q is not RFC 3339", s)
	}
	v := t.Unix()*1e6 + int64(t.Nanosecond()/1e3)
	if v < 0 || Timestamp(v) > maxTimestamp {
		return 0, fmt.Errorf("usercast: timestamp %q is outside the years 1970 to 9999", s)
	}
	return Timestamp(v), nil
}

// put writes the wire form into b, which has the layout's length. It runs while
// a lock is held, and takes a quarter of the time of [time.Time.AppendFormat].
func (t Timestamp) put(b []byte) {
	u := t.Time()
	year, month, day := u.Date()
	hour, minute, second := u.Clock()
	copy(b, timestampLayout)
	put2(b[0:], year/100)
	put2(b[2:], year%100)
	put2(b[5:], int(month))
	put2(b[8:], day)
	put2(b[11:], hour)
	put2(b[14:], minute)
	put2(b[17:], second)
	micros := int(t % 1e6)
	put2(b[20:], micros/1e4)
	put2(b[22:], micros/100%100)
	put2(b[24:], micros%100)
}

func put2(b []byte, v int) {
	b[0] = byte('0' + v/10%10)
	b[1] = byte('0' + v%10)
}

// checkUser says why a user ID cannot be used.
func checkUser(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrInvalidUser)
	case len(id) > MaxUserIDBytes:
		return fmt.Errorf("%w: %d bytes, at most %d", ErrInvalidUser, len(id), MaxUserIDBytes)
	case !utf8.ValidString(id):
		return fmt.Errorf("%w: it is not UTF-8", ErrInvalidUser)
	}
	return nil
}

// check says why an event's names cannot be used. The payload is judged when it
// is encoded.
func (ev *Event) check() error {
	switch {
	case ev.Type == "":
		return fmt.Errorf("%w: Type is empty", ErrInvalidEvent)
	case len(ev.Type) > MaxTypeBytes:
		return fmt.Errorf("%w: Type has %d bytes, at most %d", ErrInvalidEvent, len(ev.Type), MaxTypeBytes)
	case strings.HasPrefix(ev.Type, "hub."):
		return fmt.Errorf("%w: Type %q: names that begin with \"hub.\" are the hub's own", ErrInvalidEvent, ev.Type)
	case len(ev.Key) > MaxKeyBytes:
		return fmt.Errorf("%w: %s: Key has %d bytes, at most %d", ErrInvalidEvent, ev.Type, len(ev.Key), MaxKeyBytes)
	case !utf8.ValidString(ev.Key):
		return fmt.Errorf("%w: %s: Key is not UTF-8", ErrInvalidEvent, ev.Type)
	case len(ev.Except) > MaxDeviceBytes:
		return fmt.Errorf("%w: %s: Except has %d bytes, at most %d", ErrInvalidEvent, ev.Type, len(ev.Except), MaxDeviceBytes)
	}
	for i := 0; i < len(ev.Type); i++ {
		if c := ev.Type[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return fmt.Errorf("%w: Type %q: want printable ASCII without space, quote and backslash", ErrInvalidEvent, ev.Type)
		}
	}
	return nil
}
