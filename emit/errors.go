package emit

import "errors"

// Errors that callers can tell apart with [errors.Is]. Errors of events are those of
// package usercast: ErrInvalidUser, ErrInvalidEvent, ErrPayload and ErrPanic at once,
// ErrTooLarge and ErrClosed when a hub is sent the event.
var (
	// ErrFull means an event beyond the bounds of an [Outbox]; the text names the bound.
	ErrFull = errors.New("emit: outbox is full")
	// ErrEnded means an event for an [Outbox] whose request or transaction is over:
	// nobody would flush it any more.
	ErrEnded = errors.New("emit: outbox has ended")
	// ErrNoOutbox means an event for the Outbox of a context that has none.
	ErrNoOutbox = errors.New("emit: no outbox")
	// ErrOpen is returned by Flush while the outbox belongs to an open transaction.
	ErrOpen = errors.New("emit: the transaction is still open")
	// ErrCommit means that a commit did not report success. Nothing was sent.
	ErrCommit = errors.New("emit: commit failed")
	// ErrOutcomeUnknown means, beside ErrCommit, that the data may have been
	// committed all the same: the connection was lost before the database's answer.
	ErrOutcomeUnknown = errors.New("emit: not known whether it was committed")
)
