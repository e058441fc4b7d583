package dialect

import (
	"bytes"
	"strconv"
)

// textAfter returns what stands in frame between the first occurrence of key and the next of end.
func textAfter(frame []byte, key, end string) string {
	_, rest, found := bytes.Cut(frame, []byte(key))
	if !found {
		return ""
	}
	value, _, found := bytes.Cut(rest, []byte(end))
	if !found {
		return ""
	}
	return string(value)
}

// lastTextAfter is textAfter with the last occurrence of key: a frame may hold many events, and the cursor is the last.
func lastTextAfter(frame []byte, key, end string) string {
	i := bytes.LastIndex(frame, []byte(key))
	if i < 0 {
		return ""
	}
	return textAfter(frame[i:], key, end)
}

// lastNumberAfter returns the digits that follow the last occurrence of key.
func lastNumberAfter(frame []byte, key string) (n int64, found bool) {
	i := bytes.LastIndex(frame, []byte(key))
	if i < 0 {
		return 0, false
	}
	rest := frame[i+len(key):]
	end := 0
	for end < len(rest) && rest[end] >= '0' && rest[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(string(rest[:end]), 10, 64)
	return n, err == nil
}
