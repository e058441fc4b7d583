package emit

import (
	"context"
	"errors"
)

// internalError is what devices hear of an error that is nobody's business.
const internalError = "internal error"

// maxPublicBytes bounds texts that go into a job's events.
const maxPublicBytes = 1 << 10

// A PublicError is an error that knows what of it may be shown to a user.
type PublicError interface {
	error
	// PublicError returns that text. Error returns the one for the log.
	PublicError() string
}

// Public returns an error whose text may be shown to a user. err is what is behind
// it, for the log and for [errors.Is]; it may be nil.
func Public(text string, err error) error { return &publicError{text, err} }

type publicError struct {
	text string
	err  error
}

func (e *publicError) Error() string {
	if e.err == nil {
		return e.text
	}
	return e.text + ": " + e.err.Error()
}

func (e *publicError) PublicError() string { return e.text }
func (e *publicError) Unwrap() error       { return e.err }

// PublicText returns what of an error may be shown to a user: the text of the first
// [PublicError] in its chain, "timed out" for [context.DeadlineExceeded], and "internal
// error" for all others. It is the default of JobConfig.PublicError.
func PublicText(err error) string {
	var public PublicError
	switch {
	case errors.As(err, &public):
		return public.PublicError()
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	default:
		return internalError
	}
}

// reasonOf returns why a job was cancelled, as far as that may be shown.
func reasonOf(cause error) string {
	var public PublicError
	switch {
	case errors.Is(cause, ErrJobPreempted):
		return "preempted"
	case errors.As(cause, &public):
		return public.PublicError()
	default:
		return ""
	}
}
