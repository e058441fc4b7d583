package usercast

import "slices"

// A Verdict says what became of the events that a device missed. Every
// connection gets one in hub.hello.
type Verdict string

const (
	// Fresh means that the client named no cursor: it hears what happens from now on.
	Fresh Verdict = "fresh"
	// Resumed means that everything since the client's cursor follows.
	Resumed Verdict = "resumed"
	// Gap means that something is missing: the client must fetch its state anew.
	Gap Verdict = "gap"
)

// A GapReason says why there is a gap.
type GapReason string

const (
	GapEvicted       GapReason = "evicted"        // newer events took the place of those missed
	GapExpired       GapReason = "expired"        // away for longer than Config.BufferTTL
	GapRestarted     GapReason = "restarted"      // the hub was started since
	GapUnknownCursor GapReason = "unknown_cursor" // not a cursor that this hub gave out
	GapLagged        GapReason = "lagged"         // the connection was too slow and the log outran it
)

// gapReasons lists them all, for counters.
var gapReasons = [...]GapReason{GapEvicted, GapExpired, GapRestarted, GapUnknownCursor, GapLagged}

// A claim is where a client says it stopped in one log.
type claim struct {
	given bool // it named a cursor at all
	valid bool // and it is a timestamp
	ts    Timestamp
	epoch string // "": a client that knows of none
	loose bool   // the timestamp is another log's: later than last is no lie
}

// A tail is one connection's place in one log. It is guarded by the log's lock;
// only the goroutine that writes to the connection moves it.
type tail struct {
	// cursor: everything up to it has been sent, or is in prologue, or was not for
	// this connection.
	cursor Timestamp
	// since is the log's last timestamp when the connection was made: transients
	// up to it are the past, buffered events up to it are a replay.
	since Timestamp
	// gap is to be told before anything else of this log; "" if there is none.
	gap GapReason
	// prologue holds latest values that are older than cursor and not yet sent.
	prologue []slot
}

// start is the timestamp from which the connection goes on: see prologueFrame.
func (t *tail) start() Timestamp { return t.cursor - Timestamp(len(t.prologue)) }

// A reader is who follows a log, by the names that Except may give it.
type reader struct{ id, device string }

// causes says whether the event is the reader's own doing.
func (r reader) causes(e *entry) bool {
	return e.except != "" && (e.except == r.device || e.except == r.id)
}

// judge gives the verdict on a claim and the place where the connection starts.
// The log must hold nothing that is expired.
func (l *log) judge(c claim, r reader) (Verdict, GapReason, tail) {
	if !c.given {
		// Nothing of the past but the latest values.
		return Fresh, "", tail{cursor: l.last, since: l.last, prologue: l.values(0, l.last, nil, r)}
	}
	if c.loose && c.valid {
		c.ts = min(c.ts, l.last)
	}
	var reason GapReason
	switch {
	case !c.valid:
		reason = GapUnknownCursor
	case c.epoch != "" && c.epoch != l.epoch:
		reason = GapRestarted
	case c.ts > l.last:
		reason = GapUnknownCursor
	case c.ts < l.floor:
		reason = l.missed(c.ts)
	default:
		return Resumed, "", tail{cursor: c.ts, since: l.last}
	}
	// Everything that is retained.
	return Gap, reason, tail{cursor: l.floor, since: l.last, gap: reason, prologue: l.values(0, l.floor, nil, r)}
}

// missed says why what follows ts is not all there. ts is below the floor.
func (l *log) missed(ts Timestamp) GapReason {
	switch {
	case ts < l.born:
		return GapRestarted
	case ts < l.floorBySize:
		return GapEvicted
	default:
		return GapExpired
	}
}

// catchUp moves a tail that the log has outrun to what is left, and leaves a gap
// to be told there.
func (l *log) catchUp(t *tail, r reader) {
	if t.cursor >= l.floor {
		return
	}
	t.prologue = l.values(t.cursor, l.floor, t.prologue, r)
	t.cursor = l.floor
	if t.gap == "" {
		t.gap = GapLagged
	}
}

// values returns the latest values newer than from, up to to, and those of pending
// that are still the newest of their key.
func (l *log) values(from, to Timestamp, pending []slot, r reader) (values []slot) {
	for i := range l.slots {
		s := &l.slots[i]
		unseen := s.ts > from || slices.ContainsFunc(pending, func(p slot) bool { return p.ts == s.ts })
		if unseen && s.ts <= to && !r.causes(&s.entry) {
			values = append(values, *s)
		}
	}
	return values
}

// prologueFrame removes the first value of the prologue and returns its frame.
//
// Where a connection starts or goes on after a gap, values may be older than what
// is missing. With their own timestamps among those of lost events, no place would
// be right for hub.gap: something might be missing before and after each (I2). So
// they are sent as the cursor's immediate past: copies stamped cursor-n+1 … cursor,
// where nothing can lie between. There is room: the connection was sent nothing
// from this range, for each value stands for a timestamp of its own in it.
func (t *tail) prologueFrame() []byte {
	d := draft{frame: t.prologue[0].frame, stampAt: int(t.prologue[0].stampAt)}
	d = d.clone()
	d.stamp(t.start() + 1)
	if t.prologue = t.prologue[1:]; len(t.prologue) == 0 {
		t.prologue = nil
	}
	return d.frame
}

// A batch is what one write will carry.
type batch struct {
	frames   [][]byte
	bytes    int
	visible  bool // something that a page can see: not pings alone
	events   int  // frames that carry events, hub.* left out
	replayed int
}

func (b *batch) reset() {
	clear(b.frames) // the frames belong to the logs: let go of them
	*b = batch{frames: b.frames[:0]}
}

func (b *batch) add(frame []byte) {
	b.frames = append(b.frames, frame)
	b.bytes += len(frame)
	b.visible = b.visible || len(frame) > len(pingFrame) // nothing else is as short
}

// Bounds of one write. A batch ends with the frame that reaches one of them, so
// it exceeds maxBatchBytes by less than one frame.
const (
	maxBatchBytes  = 64 << 10
	maxBatchFrames = 512
)

func (b *batch) full() bool {
	return b.bytes >= maxBatchBytes || len(b.frames) >= maxBatchFrames
}

// collect adds what the tail has not seen, merging ring, latest values and
// transients by timestamp, and moves the cursor past it. It returns false if the
// batch became full before the end.
func (l *log) collect(t *tail, b *batch, r reader) (done bool) {
	ri := l.ring.after(t.cursor)
	si := l.slots.after(t.cursor)
	ti := l.recent.after(max(t.cursor, t.since))
	for {
		var next *entry
		from := &ri
		if ri < l.ring.len() {
			next = l.ring.at(ri)
		}
		if si < len(l.slots) && (next == nil || l.slots[si].ts < next.ts) {
			next, from = &l.slots[si].entry, &si
		}
		if ti < l.recent.len() && (next == nil || l.recent.at(ti).ts < next.ts) {
			next, from = l.recent.at(ti), &ti
		}
		if next == nil {
			t.cursor = max(t.cursor, l.last)
			return true
		}
		if b.full() {
			return false
		}
		*from++
		t.cursor = next.ts
		if !r.causes(next) {
			b.add(next.frame)
			b.events++
			if next.ts <= t.since {
				b.replayed++
			}
		}
	}
}
