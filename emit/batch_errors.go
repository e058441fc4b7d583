package emit

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/usercast-go/usercast"
)

// classOf returns the class of a type of event, or an error for one that Define
// has not made.
func classOf[P any](event usercast.EventType[P]) (class usercast.Class, err error) {
	if class = event.Class(); class == 0 {
		return 0, errors.New("missing; usercast.Define makes one")
	}
	return class, nil
}

// guarded calls what is not ours. A panic is an error that wraps [usercast.ErrPanic].
func guarded[R any](what string, fn func() R) (_ R, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v\n%s", usercast.ErrPanic, what, p, debug.Stack())
		}
	}()
	return fn(), nil
}

// flat makes one error of a function's own and of its panic.
func flat(err, panicked error) error {
	if panicked != nil {
		return panicked
	}
	return err
}

// errGoexit is what a function said that never returned.
var errGoexit = errors.New("emit: the function ended its goroutine: runtime.Goexit")

// failures are errors of which the first few are told and the others counted: a
// hub that is shut down is one cause for any number of them.
type failures struct {
	first []error
	more  int
}

const maxFailures = 8

func (f *failures) add(err error) {
	if len(f.first) < maxFailures {
		f.first = append(f.first, err)
	} else {
		f.more++
	}
}

func (f *failures) err() error {
	if f.more == 0 {
		return errors.Join(f.first...)
	}
	return fmt.Errorf("%w\nemit: and %d more errors", errors.Join(f.first...), f.more)
}
