package usercast

import (
	"slices"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of a hub's counters. Counters only rise; the gauges say so.
type Stats struct {
	Connections int64 // gauge: open connections
	Users       int64 // gauge: users with at least one connection
	Logs        int64 // gauge: users of whom the hub keeps a log

	BufferedEvents int64 // gauge: events in all logs, latest values and waiting transients too
	BufferedBytes  int64 // gauge: what they count against Config.MaxBufferBytes

	Broadcasts        map[Class]uint64     // accepted events; BroadcastMany counts one a user
	Verdicts          map[Verdict]uint64   // one a connection
	Gaps              map[GapReason]uint64 // told to clients, at connect or later
	Delivered         uint64               // event frames handed to sockets
	Replayed          uint64               // those of them that are older than the connection
	DroppedTransients uint64               // one for each connection that was too slow for one
	SlowCloses        uint64               // connections cut because a write timed out
	DeadCloses        uint64               // connections cut because a ping went unanswered
	Floods            uint64               // connections cut for sending too much
	IgnoredMessages   uint64               // inbound messages that nobody wanted
	Panics            uint64               // in callbacks of the application
	Refused           map[string]uint64    // handshakes refused, by reason
	Sent              map[string]uint64    // accepted events of each type that Define made, by all hubs of the process; 0: never sent
}

// counters are the live values behind Stats.
type counters struct {
	conns, users, logs            atomic.Int64
	bufferedEvents, bufferedBytes atomic.Int64

	broadcasts [Latest + 1]atomic.Uint64
	verdicts   [len(verdicts)]atomic.Uint64
	gaps       [len(gapReasons)]atomic.Uint64
	refused    [len(refusals)]atomic.Uint64
	// refusedNext is when a refusal of each kind may be logged again.
	refusedNext [len(refusals)]atomic.Int64

	delivered, replayed, droppedTransients atomic.Uint64
	slowCloses, deadCloses, floods         atomic.Uint64
	ignored, panics                        atomic.Uint64
}

// verdicts lists them all, for counters.
var verdicts = [...]Verdict{Fresh, Resumed, Gap}

func (c *counters) verdict(v Verdict)  { c.verdicts[slices.Index(verdicts[:], v)].Add(1) }
func (c *counters) gap(r GapReason)    { c.gaps[slices.Index(gapReasons[:], r)].Add(1) }
func (c *counters) refusal(r *refusal) { c.refused[slices.Index(refusals[:], r)].Add(1) }

// firstThisSecond says whether a refusal of this kind may be logged: strangers
// cause them, so a log gets one a second. now is monotonic ns.
func (c *counters) firstThisSecond(r *refusal, now int64) bool {
	next := &c.refusedNext[slices.Index(refusals[:], r)]
	at := next.Load()
	return now >= at && next.CompareAndSwap(at, now+int64(time.Second))
}

func byName[T comparable](counters []atomic.Uint64, names []T) map[T]uint64 {
	m := make(map[T]uint64, len(names))
	for i := range names {
		m[names[i]] = counters[i].Load()
	}
	return m
}

// snapshot copies the counters. They are read one after the other, so sums of
// several may be off by what happened meanwhile.
func (c *counters) snapshot() Stats {
	s := Stats{
		Connections:       c.conns.Load(),
		Users:             c.users.Load(),
		Logs:              c.logs.Load(),
		BufferedEvents:    c.bufferedEvents.Load(),
		BufferedBytes:     c.bufferedBytes.Load(),
		Broadcasts:        make(map[Class]uint64, 3),
		Verdicts:          byName(c.verdicts[:], verdicts[:]),
		Gaps:              byName(c.gaps[:], gapReasons[:]),
		Delivered:         c.delivered.Load(),
		Replayed:          c.replayed.Load(),
		DroppedTransients: c.droppedTransients.Load(),
		SlowCloses:        c.slowCloses.Load(),
		DeadCloses:        c.deadCloses.Load(),
		Floods:            c.floods.Load(),
		IgnoredMessages:   c.ignored.Load(),
		Panics:            c.panics.Load(),
		Refused:           make(map[string]uint64, len(refusals)),
		Sent:              catalog.sent(),
	}
	for class := Buffered; class <= Latest; class++ {
		s.Broadcasts[class] = c.broadcasts[class].Load()
	}
	for i, r := range refusals {
		s.Refused[r.name] = c.refused[i].Load()
	}
	return s
}
