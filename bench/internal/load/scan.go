package load

import "bytes"

// Every contender wraps the payload in an envelope of its own, and some put several events in one frame. What they
// share is the payload's text, so events are found by its first two members.
var (
	seqKey = []byte(`"seq":`)
	atKey  = []byte(`,"at":`)
)

// nextEvent finds the first event in text: its sequence number, when it was published, and the text behind it.
func nextEvent(text []byte) (seq, at int64, rest []byte, found bool) {
	i := bytes.Index(text, seqKey)
	if i < 0 {
		return 0, 0, nil, false
	}
	seq, rest = leadingNumber(text[i+len(seqKey):])
	if !bytes.HasPrefix(rest, atKey) {
		return 0, 0, nil, false
	}
	at, rest = leadingNumber(rest[len(atKey):])
	return seq, at, rest, true
}

func leadingNumber(text []byte) (n int64, rest []byte) {
	for len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
		n = n*10 + int64(text[0]-'0')
		text = text[1:]
	}
	return n, text
}
