package load

// roundSlots bounds how many rounds may be on their way at once; a power of two.
const roundSlots = 1 << 12

// Rounds tells when all devices have received a round. It is the generator's half of the closed loop: the server may
// publish only so many rounds beyond the last complete one.
type Rounds struct {
	Done int64 // last round that all devices have received

	devices int
	counts  [roundSlots]int32
}

// Reset expects the given number of devices from the round after done on.
func (r *Rounds) Reset(devices int, done int64) {
	*r = Rounds{Done: done, devices: devices}
}

// Arrive counts one device's arrival at a round and tells whether Done has grown. Because each device sees its rounds
// in order, rounds complete in order too.
func (r *Rounds) Arrive(round int64) bool {
	if round <= r.Done || round > r.Done+roundSlots {
		return false
	}
	r.counts[round%roundSlots]++
	if int(r.counts[round%roundSlots]) < r.devices {
		return false
	}
	r.counts[round%roundSlots] = 0
	r.Done = round
	return true
}
