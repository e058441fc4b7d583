package emit

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// Databases say by their errors what became of a transaction. Their drivers are not
// imported here; what several of them agree on is enough.

// stateError is an error with an SQLSTATE, as pgx and lib/pq have it: the server
// itself has answered.
type stateError interface {
	error
	SQLState() string
}

// Conflict says whether an error means that the transaction met another one and may
// succeed if it is tried again: SQLSTATE 40001 (serialization failure) and 40P01
// (deadlock) of PostgreSQL, SQLITE_BUSY and SQLITE_LOCKED of modernc.org/sqlite. It is
// for TxOptions.Retry; other drivers need a function of your own.
func Conflict(err error) bool {
	if state, ok := sqlState(err); ok {
		return state == "40001" || state == "40P01"
	}
	const busy, locked = 5, 6
	code, ok := sqliteCode(err)
	return ok && (code == busy || code == locked)
}

func sqlState(err error) (string, bool) {
	var e stateError
	if !errors.As(err, &e) {
		return "", false
	}
	return e.SQLState(), true
}

// sqliteCode returns the primary result code of an error of modernc.org/sqlite. Other
// errors have a method Code, too, so its package is asked.
func sqliteCode(err error) (code int, ok bool) {
	var e interface {
		error
		Code() int
	}
	if !errors.As(err, &e) {
		return 0, false
	}
	t := reflect.TypeOf(e)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return e.Code() & 0xff, strings.Contains(t.PkgPath(), "sqlite")
}

// commitError says what a commit that returned err has come to. The outcome is unknown
// unless the database is known to have answered: to report a failure that was none
// makes people do things twice. part: it was a savepoint, and the outcome is that of
// the transaction around it.
func commitError(err error, part bool) error {
	switch {
	case part:
		return fmt.Errorf("emit: commit within a transaction: %w", err)
	case answered(err):
		return fmt.Errorf("%w, nothing was sent: %w", ErrCommit, err)
	default:
		counters.unknown.Add(1)
		return fmt.Errorf("%w: %w, nothing was sent; read the data again: %w", ErrCommit, ErrOutcomeUnknown, err)
	}
}

// answered says whether an error of a commit is the database's own word that it did
// not happen.
func answered(err error) bool {
	if state, ok := sqlState(err); ok {
		// Class 08: connection exception. 57P: the server or the session was ended,
		// perhaps after the commit was durable and before it could say so. 40003:
		// statement completion unknown.
		return !strings.HasPrefix(state, "08") && !strings.HasPrefix(state, "57P") && state != "40003"
	}
	if _, ok := sqliteCode(err); ok {
		return true // it is in this process
	}
	return says(err, pgxRolledBack)
}

// Two errors of pgx have no type of their own and are known by their texts. If these
// change, an outcome is called unknown that is known, and tests in dbtest fail.
const (
	pgxRolledBack = "commit unexpectedly resulted in rollback" // the server answered ROLLBACK: fn had swallowed an error
	pgxClosed     = "tx is closed"                             // nothing to roll back
)

// says says whether an error, or one that it wraps, has this text.
func says(err error, text string) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == text {
			return true
		}
	}
	return false
}
