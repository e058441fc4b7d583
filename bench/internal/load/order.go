package load

// Order checks that one device receives the events of its user without hole and in order. The zero value expects the
// event 1 first.
type Order struct {
	Last int64 // highest sequence number seen
}

// See takes the next event's number and returns how many it adds to Last: 1 when all is well, more when events were
// skipped on the way, and 0 when the event is repeated or late.
func (o *Order) See(seq int64) (advanced int64) {
	if seq <= o.Last {
		return 0
	}
	advanced = seq - o.Last
	o.Last = seq
	return advanced
}
