package usercast

// An entry is one stamped event in a log.
type entry struct {
	ts     Timestamp
	at     int64 // monotonic ns of the stamp; the TTL counts from here
	frame  []byte
	except string // the device or connection that needs no echo

	stampAt int32 // where the timestamp stands in frame
}

// entryOverhead is what an entry costs beside its frame: its place in the ring
// and the allocator's rounding.
const entryOverhead = 96

// size is what the entry counts against Config.MaxBufferBytes.
func (e *entry) size() int64 { return int64(len(e.frame)) + entryOverhead }

// A ring holds the newest entries of a log, at most limit of them, in the order
// of their timestamps. It starts empty, grows by doubling and gives its memory
// back when it is emptied: most users have few events.
//
// It has no lock, no goroutine and no clock of its own.
type ring struct {
	limit int
	slots []entry // a circle
	head  int     // the oldest
	n     int
}

func (r *ring) len() int { return r.n }

// at returns the i-th oldest entry. The pointer is good until the ring changes.
func (r *ring) at(i int) *entry {
	i += r.head
	if i >= len(r.slots) {
		i -= len(r.slots)
	}
	return &r.slots[i]
}

// push appends the newest entry. The ring must not be full.
func (r *ring) push(e entry) {
	if r.n == len(r.slots) {
		r.grow()
	}
	r.n++
	*r.at(r.n - 1) = e
}

func (r *ring) full() bool { return r.n >= r.limit }

func (r *ring) grow() {
	bigger := make([]entry, min(max(1, 2*len(r.slots)), r.limit))
	for i := range r.n {
		bigger[i] = *r.at(i)
	}
	r.slots, r.head = bigger, 0
}

// pop removes and returns the oldest entry. The ring must not be empty.
func (r *ring) pop() entry {
	e := *r.at(0)
	*r.at(0) = entry{} // lets the frame be collected
	r.n--
	if r.head++; r.head == len(r.slots) {
		r.head = 0
	}
	if r.n == 0 {
		r.slots, r.head = nil, 0
	}
	return e
}

// after returns the index of the oldest entry newer than ts, len() if there is none.
func (r *ring) after(ts Timestamp) int {
	if r.n == 0 || r.at(r.n-1).ts <= ts {
		return r.n // a connection that is up to date, the usual case
	}
	lo, hi := 0, r.n-1
	for lo < hi {
		if mid := int(uint(lo+hi) / 2); r.at(mid).ts > ts {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}
