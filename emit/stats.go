package emit

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
)

// Stats counts what became of the events that outboxes of this process were given,
// and what their transactions came to. Counters only rise. Of what was collected
// each event is sent, failed or discarded, or still waits.
type Stats struct {
	Collected uint64 // events that an outbox took; BroadcastMany counts one
	Sent      uint64 // events that the hub took
	Failed    uint64 // events that the hub refused, after the commit or the response
	Discarded uint64 // events dropped with a rollback, with a failed request or by Discard
	Refused   uint64 // events that no outbox took: bad ones, and ErrFull, ErrEnded, ErrNoOutbox
	Retries   uint64 // transactions that were tried again
	Unknown   uint64 // transactions that ended with ErrOutcomeUnknown
	Overtaken uint64 // events that a later one of their user did not wait for any longer
}

// counters are the live values behind Stats, of the whole process: an event that
// finds no outbox has nowhere else to be counted.
var counters struct {
	collected, sent, failed, discarded, refused, retries, unknown, overtaken atomic.Uint64
}

// Counters returns a snapshot. The counters are read one after the other, so sums
// of several may be off by what happened meanwhile.
func Counters() Stats {
	return Stats{
		Collected: counters.collected.Load(),
		Sent:      counters.sent.Load(),
		Failed:    counters.failed.Load(),
		Discarded: counters.discarded.Load(),
		Refused:   counters.refused.Load(),
		Retries:   counters.retries.Load(),
		Unknown:   counters.unknown.Load(),
		Overtaken: counters.overtaken.Load(),
	}
}

// maxLogged is how many events that were not sent an outbox logs; all are counted.
// A hub that is shut down, or a loop over a full outbox, is one cause for any number.
const maxLogged = 8

// logUnsent logs an event that will not be sent. Payloads stay out of logs.
func logUnsent(logger *slog.Logger, msg, user, typ string, err error, last bool) {
	if logger == nil {
		logger = slog.Default()
	}
	attrs := []slog.Attr{slog.String("user_id", clip(user)), slog.String("type", clip(typ)), slog.Any("error", err)}
	if last {
		attrs = append(attrs, slog.String("further", "counted only"))
	}
	logger.LogAttrs(context.Background(), slog.LevelError, msg, attrs...)
}

// logOvertaking logs that an event is sent before an earlier one of its users.
func logOvertaking(logger *slog.Logger, user, typ string, last bool) {
	if logger == nil {
		logger = slog.Default()
	}
	attrs := []slog.Attr{slog.String("user_id", clip(user)), slog.String("type", clip(typ))}
	if last {
		attrs = append(attrs, slog.String("further", "counted only"))
	}
	logger.LogAttrs(context.Background(), slog.LevelWarn, "emit: event sent before an earlier one that was not committed or sent in time", attrs...)
}

// clip bounds a name in a log: what is refused may be of any size.
func clip(s string) string {
	const most = 128
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
