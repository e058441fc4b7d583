package emit

import (
	"math"
	"time"
)

const (
	// Records that are counted within so short a time count as one step: of two
	// records in one microsecond nobody learns how fast the work goes.
	rateStep = 100 * time.Millisecond
	// Before there is as much to go by, an estimate would be a guess.
	rateEvidence = time.Second
	// The past counts for less the longer ago it is, to 1/e after rateMemory or a
	// quarter of all the time so far, whichever is longer: so the estimate of a
	// night's work does not jump with every slow record.
	rateMemory  = 15 * time.Second
	rateQuarter = 4
	// A longer estimate says no more than that there is none.
	maxETA = 7 * 24 * time.Hour
)

// A rate is how fast records are processed, smoothed: the quotient of records and
// seconds, both of which count for less the longer ago they are. It has no lock and
// no clock.
type rate struct {
	began   time.Time
	at      time.Time // the end of the last step
	records float64   // up to there, weighted
	seconds float64   // likewise
	since   int       // records counted since
}

func newRate(now time.Time) rate { return rate{began: now, at: now} }

// count notes that n records more have been processed.
func (r *rate) count(n int, now time.Time) {
	r.since += n
	if now.Sub(r.at) >= rateStep {
		r.records, r.seconds = r.until(now, r.since)
		r.at, r.since = now, 0
	}
}

// until returns the weighted records and seconds as of now, if n records have come,
// evenly, since the last step.
func (r *rate) until(now time.Time, n int) (records, seconds float64) {
	dt := now.Sub(r.at).Seconds()
	if dt <= 0 {
		return r.records, r.seconds
	}
	memory := max(rateMemory, now.Sub(r.began)/rateQuarter).Seconds()
	kept := math.Exp(-dt / memory)
	weight := memory * (1 - kept) // the integral of what each moment of dt counts for
	return r.records*kept + float64(n)/dt*weight, r.seconds*kept + weight
}

// eta estimates how long the remaining records take, in whole seconds. 0: unknown.
func (r *rate) eta(remaining int, now time.Time) time.Duration {
	if remaining <= 0 || now.Sub(r.began) < rateEvidence {
		return 0
	}
	// What is counted in since came right after the last step and belongs to the next.
	records, seconds := r.until(now, 0)
	left := float64(remaining) * seconds / records // +Inf if nothing was processed
	if !(left < maxETA.Seconds()) {
		return 0
	}
	const rounding = 1e-3 // of the arithmetic: 9.0000001 s are 9 s
	return max(time.Second, time.Duration(math.Ceil(left-rounding))*time.Second)
}
