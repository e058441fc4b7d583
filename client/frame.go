package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/usercast-go/usercast"
)

// scopeAll marks what came from BroadcastAll.
const scopeAll = "all"

// A frame is one message of the hub's.
type frame struct {
	Type      string             `json:"type"`
	Payload   json.RawMessage    `json:"payload"`
	Timestamp usercast.Timestamp `json:"timestamp"` // 0: none
	Class     string             `json:"class"`
	Key       string             `json:"key"`
	Scope     string             `json:"scope"`
}

func badFrame(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFrame, fmt.Errorf(format, args...))
}

// parseFrame reads a message. What it returns without an error is in bounds, and
// copied out of p.
func parseFrame(p []byte) (f frame, err error) {
	if err := json.Unmarshal(p, &f); err != nil {
		return frame{}, badFrame("%d bytes: %w", len(p), err)
	}
	switch {
	case f.Type == "":
		return frame{}, badFrame("%d bytes without a type", len(p))
	case f.Scope != "" && f.Scope != scopeAll:
		return frame{}, badFrame("%s: scope %q", clip(f.Type), clip(f.Scope))
	}
	if f.Payload == nil {
		f.Payload = json.RawMessage("null")
	}
	return f, nil
}

// class reads the class of an event.
func (f *frame) class() (usercast.Class, error) {
	if f.Class == "" {
		return usercast.Buffered, nil
	}
	for _, c := range [...]usercast.Class{usercast.Buffered, usercast.Transient, usercast.Latest} {
		if f.Class == c.String() {
			return c, nil
		}
	}
	return 0, badFrame("%s: class %q", clip(f.Type), clip(f.Class))
}

// event reads one of the application's events.
func (f *frame) event() (Event, error) {
	class, err := f.class()
	if err != nil {
		return Event{}, err
	}
	if f.Timestamp == 0 {
		return Event{}, badFrame("%s: no timestamp", clip(f.Type))
	}
	return Event{
		Meta:    Meta{Type: f.Type, Timestamp: f.Timestamp, Class: class, Key: f.Key, Global: f.Scope == scopeAll},
		Payload: f.Payload,
	}, nil
}

// hello reads hub.hello. Without a good one a connection is of no use.
func (f *frame) hello() (Hello, error) {
	var p struct {
		ConnectionID    string
		Device          string
		Epoch           string
		Verdict         usercast.Verdict
		Reason          usercast.GapReason
		GlobalTimestamp usercast.Timestamp
		HeartbeatMs     int64
		BufferSize      int
		BufferTTLMs     int64
	}
	if err := json.Unmarshal(f.Payload, &p); err != nil {
		return Hello{}, badFrame("hub.hello: %w", err)
	}
	switch {
	case p.Epoch == "" || f.Timestamp == 0:
		return Hello{}, badFrame("hub.hello: it names no place to begin")
	case p.Verdict != usercast.Fresh && p.Verdict != usercast.Resumed && p.Verdict != usercast.Gap:
		return Hello{}, badFrame("hub.hello: verdict %q", clip(string(p.Verdict)))
	}
	return Hello{
		ConnectionID:    p.ConnectionID,
		Device:          p.Device,
		Epoch:           p.Epoch,
		Verdict:         p.Verdict,
		GapReason:       p.Reason,
		Timestamp:       f.Timestamp,
		GlobalTimestamp: p.GlobalTimestamp,
		Heartbeat:       millis(p.HeartbeatMs),
		BufferSize:      p.BufferSize,
		BufferTTL:       millis(p.BufferTTLMs),
	}, nil
}

// gapReason reads hub.gap. Whatever it says, something is missing.
func (f *frame) gapReason() usercast.GapReason {
	var p struct{ Reason usercast.GapReason }
	if json.Unmarshal(f.Payload, &p) != nil || p.Reason == "" {
		return usercast.GapLagged
	}
	return p.Reason
}

// millis bounds what would overflow a Duration.
func millis(ms int64) time.Duration {
	const year = 365 * 24 * time.Hour
	return time.Duration(min(max(ms, 0), int64(year/time.Millisecond))) * time.Millisecond
}

// clip bounds what a stranger can write into an error.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
