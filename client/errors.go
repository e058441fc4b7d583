package client

import (
	"errors"
	"fmt"

	"github.com/usercast-go/usercast"
)

// Errors that callers can tell apart with [errors.Is]. A panic in a callback
// reaches Config.OnError wrapped in [usercast.ErrPanic].
var (
	// ErrInvalidConfig is returned by New; the text names the field.
	ErrInvalidConfig = errors.New("client: invalid configuration")
	// ErrUnauthorized is what Config.Token returns, wrapped or not, when asking again
	// is of no use: the user has logged out. Run stops and returns it.
	ErrUnauthorized = errors.New("client: not authorized")
	// ErrRevoked is wrapped by what Run returns after close code 4403: the server has
	// disconnected this user.
	ErrRevoked = errors.New("client: disconnected by the server")
	// ErrReplaced is wrapped by what Run returns after close code 4409: the user has
	// opened more connections than allowed, and this was the oldest.
	ErrReplaced = errors.New("client: replaced by newer connections of the user")
	// ErrRunning is returned by Run while another Run of the same client is under way.
	ErrRunning = errors.New("client: running already")
	// ErrClosed is returned by Run after [Client.Close].
	ErrClosed = errors.New("client: closed")
	// ErrNotConnected is returned by Send while there is no connection.
	ErrNotConnected = errors.New("client: not connected")
	// ErrTooLarge means a message to Send of more than [MaxMessageBytes], a token that
	// cannot be renewed in place for the same reason, or, in OnError, an event of more
	// than Config.MaxEventBytes.
	ErrTooLarge = errors.New("client: message too large")
	// ErrMessage means a message to Send that is not UTF-8.
	ErrMessage = errors.New("client: message is not UTF-8")
	// ErrFrame, in OnError, means a frame that is none of the hub's protocol.
	ErrFrame = errors.New("client: frame not understood")
	// ErrPayload, in OnError, means a payload that is not what the handler takes.
	ErrPayload = errors.New("client: payload is of another shape")
)

// What ends a connection, or an attempt at one, from this side.
var (
	errTimeout    = errors.New("timeout")    // Config.ConnectTimeout, without hub.hello
	errUnanswered = errors.New("unanswered") // a probe
	errAgain      = errors.New("reconnect")  // Client.Reconnect
	errLost       = errors.New("connection lost")
)

// A CloseError says by which close code the hub ended a connection, or refused
// one; see the table in the documentation of package usercast. Code 4403 wraps
// [ErrRevoked] and 4409 wraps [ErrReplaced].
type CloseError struct {
	Code   int
	Reason string // the hub's words, at most 123 bytes in a close frame
}

// Error implements error.
func (e *CloseError) Error() string {
	return fmt.Sprintf("client: closed by the hub: %d %q", e.Code, e.Reason)
}

// Unwrap returns ErrRevoked, ErrReplaced or nil.
func (e *CloseError) Unwrap() error {
	switch e.Code {
	case usercast.CloseRevoked:
		return ErrRevoked
	case usercast.CloseReplaced:
		return ErrReplaced
	}
	return nil
}

// final says whether an error stops the client until somebody acts.
func final(err error) bool {
	return errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrRevoked) || errors.Is(err, ErrReplaced)
}

// closeCode returns the close code that an error carries, 0 if it carries none.
func closeCode(err error) int {
	if ce := (*CloseError)(nil); errors.As(err, &ce) {
		return ce.Code
	}
	return 0
}
