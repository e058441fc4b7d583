package usercast

// A bucket is a token bucket. The zero value is empty and starts to fill at time 0.
type bucket struct {
	at    int64 // monotonic ns
	level float64
}

// take removes n tokens if they are there, after adding what has come in since.
func (b *bucket) take(n, perSecond, burst float64, now int64) bool {
	b.level = min(burst, b.level+float64(now-b.at)/1e9*perSecond)
	b.at = now
	if b.level < n {
		return false
	}
	b.level -= n
	return true
}
