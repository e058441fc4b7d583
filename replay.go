package usercast

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
	// cursor: everything up to it has been sent, or was not for this connection.
	cursor Timestamp
	// ringAfter: buffered events up to it are not sent: a fresh connection gets
	// none of the past, a connection with a gap what is retained.
	ringAfter Timestamp
	// gap is told when everything up to ringAfter has been sent: "" if there is none.
	gap GapReason
	// since is the log's last timestamp when the connection was made: transients
	// up to it are the past, buffered events up to it are a replay.
	since Timestamp
}

// judge gives the verdict on a claim and the place where the connection starts.
// The log must hold nothing that is expired.
func (l *log) judge(c claim) (Verdict, GapReason, tail) {
	if !c.given {
		return Fresh, "", tail{cursor: l.beforeSlots(l.last, 0), ringAfter: l.last, since: l.last}
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
	return Gap, reason, tail{cursor: l.beforeSlots(l.floor, 0), ringAfter: l.floor, gap: reason, since: l.last}
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

// beforeSlots lowers ts so that every latest value newer than seen lies behind
// it: they are sent with their own timestamps, which must increase.
func (l *log) beforeSlots(ts, seen Timestamp) Timestamp {
	if i := l.slots.after(seen); i < len(l.slots) {
		return min(ts, l.slots[i].ts-1)
	}
	return ts
}

// catchUp moves a tail that the log has outrun to what is left, and leaves a gap
// to be told there. It returns true if latest values come before that: something
// may be missing on either side of them, so a gap must be told at once as well.
func (l *log) catchUp(t *tail) (now bool) {
	if max(t.cursor, t.ringAfter) >= l.floor {
		return false
	}
	t.cursor = l.beforeSlots(l.floor, t.cursor)
	t.ringAfter = l.floor
	if t.gap == "" {
		t.gap = GapLagged
	}
	return t.cursor < t.ringAfter
}

// A batch is what one write will carry.
type batch struct {
	frames   [][]byte
	bytes    int
	events   int // frames that carry events, hub.* left out
	replayed int
}

func (b *batch) reset() {
	clear(b.frames) // the frames belong to the logs: let go of them
	*b = batch{frames: b.frames[:0]}
}

func (b *batch) add(frame []byte) {
	b.frames = append(b.frames, frame)
	b.bytes += len(frame)
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
// batch became full before the end. id and device name the connection, for Except.
//
// While a gap is to be told it stops where that belongs, so that the gap stands
// between the timestamps that it separates: latest values may be older.
func (l *log) collect(t *tail, b *batch, id, device string) (done bool) {
	end := l.last
	if t.gap != "" {
		end = t.ringAfter
	}
	ri := l.ring.after(max(t.cursor, t.ringAfter))
	si := l.slots.after(t.cursor)
	ti := l.recent.after(max(t.cursor, t.since))
	for {
		var next *entry
		if ri < l.ring.len() {
			next = l.ring.at(ri)
		}
		from := &ri
		if si < len(l.slots) && (next == nil || l.slots[si].ts < next.ts) {
			next, from = &l.slots[si].entry, &si
		}
		if ti < l.recent.len() && (next == nil || l.recent.at(ti).ts < next.ts) {
			next, from = l.recent.at(ti), &ti
		}
		if next == nil || next.ts > end {
			t.cursor = max(t.cursor, end)
			return true
		}
		if b.full() {
			return false
		}
		*from++
		t.cursor = next.ts
		if next.except != "" && (next.except == device || next.except == id) {
			continue
		}
		b.add(next.frame)
		b.events++
		if next.ts <= t.since {
			b.replayed++
		}
	}
}
