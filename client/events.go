package client

import (
	"encoding/json"
	"time"

	"github.com/usercast-go/usercast"
)

// Meta is what comes with an event besides its payload.
type Meta struct {
	// Type is what happened, "PENDING_CREATED".
	Type string
	// Timestamp increases strictly per scope. It is also the event's identity.
	Timestamp usercast.Timestamp
	// Class says what the hub keeps of the event.
	Class usercast.Class
	// Key names the thing whose newest value this is, "job:42"; "": none. A buffered
	// event may have one too: it ends the value.
	Key string
	// Global says that the event came from BroadcastAll. The timestamps of such
	// events are compared among themselves.
	Global bool
	// Replayed says that the event came before hub.live: it happened while this
	// client was away, or just now.
	Replayed bool
}

// An Event is one event as the hub sent it.
type Event struct {
	Meta
	// Payload is JSON, "null" if there is none. All handlers and [Client.Latest] share
	// it: it may be kept, and must not be written to.
	Payload json.RawMessage
}

// A Hello is what the hub says first on every connection.
type Hello struct {
	ConnectionID string // random; usercast.Event.Except takes it
	Device       string // Config.Device, as the hub knows it
	Epoch        string // changes when the hub is started anew
	// Verdict says what became of the events that were missed. If it is
	// [usercast.Gap], Config.OnGap follows after hub.live.
	Verdict   usercast.Verdict
	GapReason usercast.GapReason // why, if Verdict is Gap
	// Timestamp and GlobalTimestamp are where this connection starts.
	Timestamp, GlobalTimestamp usercast.Timestamp
	// Heartbeat is after how much silence the hub says that it is there.
	Heartbeat time.Duration
	// BufferSize and BufferTTL are how many events the hub keeps, and for how long.
	BufferSize int
	BufferTTL  time.Duration
}

// A Gap means that events are missing: fetch your state anew.
type Gap struct {
	// Reason is why. What the hub knows as "fresh" though this client named a cursor
	// is [usercast.GapRestarted].
	Reason usercast.GapReason
	// From is where this client had got to: the zero Cursor if it had none.
	From usercast.Cursor
}

// A Phase is what a client is doing.
type Phase string

const (
	// Idle: Run was not called, or its context has ended.
	Idle Phase = "idle"
	// Connecting: the first attempt is under way.
	Connecting Phase = "connecting"
	// Connected: hub.hello came. What was missed may still be coming: see State.Stale.
	Connected Phase = "connected"
	// Reconnecting: lost; the next attempt is under way, or waits until State.RetryAt.
	Reconnecting Phase = "reconnecting"
	// Closed: by Close, ErrUnauthorized, ErrRevoked or ErrReplaced.
	Closed Phase = "closed"
)

// A State is a snapshot of a client. States can be compared.
type State struct {
	Phase Phase
	// Attempt counts attempts and connections that failed in a row. It is 0 again 5 s
	// after hub.live.
	Attempt int
	// RetryAt is when the next attempt begins; zero if none waits.
	RetryAt time.Time
	// Stale says that what is shown may be behind. It is false only from hub.live, and
	// OnGap if there is a gap, until the connection is known to be lost.
	Stale bool
	// Reason is why the connection was lost or closed: the hub's words, an error's
	// text, or "timeout", "unanswered", "reconnect". Empty while connected.
	Reason string
	// Code is the close code that ended the last connection; 0 while connected, and
	// if none came.
	Code int
}

// A TokenReason says why a token is asked for. After TokenExpired and TokenRefused
// a cached token is of no use.
type TokenReason string

const (
	// TokenConnect: for a first or another attempt.
	TokenConnect TokenReason = "connect"
	// TokenExpired: the last one has ended, or is about to.
	TokenExpired TokenReason = "expired"
	// TokenRefused: the hub did not take the last one.
	TokenRefused TokenReason = "refused"
)
