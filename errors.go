package usercast

import (
	"errors"
	"unicode/utf8"
)

// Errors that callers can tell apart with [errors.Is]. Every error of this
// package wraps one of them or comes from the caller's own code.
var (
	// ErrClosed is returned once [Hub.Shutdown] has begun.
	ErrClosed = errors.New("usercast: hub is shut down")
	// ErrInvalidConfig is returned by New and NewJWT; the text names the field.
	ErrInvalidConfig = errors.New("usercast: invalid configuration")
	// ErrInvalidUser means a user ID that is empty, longer than [MaxUserIDBytes] or not UTF-8.
	ErrInvalidUser = errors.New("usercast: invalid user ID")
	// ErrInvalidEvent means a Type, Key, Except or class that the wire cannot carry.
	ErrInvalidEvent = errors.New("usercast: invalid event")
	// ErrPayload means a Payload that does not marshal to JSON in valid UTF-8.
	ErrPayload = errors.New("usercast: payload cannot be sent")
	// ErrTooLarge means an event whose JSON exceeds Config.MaxEventBytes.
	ErrTooLarge = errors.New("usercast: event too large")
	// ErrPanic means that a callback or a MarshalJSON of the caller's panicked.
	ErrPanic = errors.New("usercast: panic in the caller's code")
)

// Errors by which an [Authenticator] tells the hub how to refuse. Any other
// error refuses as an invalid token does: 401, or close code 4401.
var (
	// ErrTokenMissing means that the request carries no token.
	ErrTokenMissing = errors.New("usercast: token missing")
	// ErrTokenExpired means that the token was good once.
	ErrTokenExpired = errors.New("usercast: token expired")
	// ErrTokenInvalid means that the token was never good for this hub.
	ErrTokenInvalid = errors.New("usercast: token invalid")
	// ErrOrigin refuses with 403: a cookie from a request that names no origin.
	ErrOrigin = errors.New("usercast: origin not allowed")
	// ErrUnavailable refuses with 503, so that clients come back with the same
	// token: the session store could not be asked.
	ErrUnavailable = errors.New("usercast: authentication is unavailable")
)

// Close codes (RFC 6455 §7.4; 4000–4999 are private use). They tell a client
// what to do; see the table in the package documentation.
const (
	ClosePolicy       = 1008 // flood or malformed handshake: retry with backoff
	CloseTooBig       = 1009 // inbound message over 4 KiB: retry with backoff
	CloseInternal     = 1011 // a callback of the application panicked
	CloseRestarting   = 1012 // retry after a random part of the announced spread
	CloseUnauthorized = 4401 // fetch a token, then retry
	CloseRevoked      = 4403 // stop
	CloseReplaced     = 4409 // too many connections of this user: stop until the user acts
	CloseHubFull      = 4429 // retry with backoff
)

// maxCloseReason is what a close frame can carry beside its code: 125 - 2 bytes
// (RFC 6455 §5.5).
const maxCloseReason = 123

// closeReason cuts a reason to what fits a close frame without splitting a rune,
// and replaces what is not UTF-8: a client must fail a connection whose close
// reason is not.
func closeReason(s string) string {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	if len(s) <= maxCloseReason {
		return s
	}
	cut := maxCloseReason
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
