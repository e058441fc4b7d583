package client

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/usercast-go/usercast"
)

// maxSpread is how much of an announced spread is believed. A hub announces a
// minute at most.
const maxSpread = 5 * time.Minute

// backoffBound returns the longest delay before the next attempt when so many
// have failed: low, doubled each time, up to high.
func backoffBound(low, high time.Duration, failed int) time.Duration {
	for ; failed > 0 && low < high; failed-- {
		low *= 2 // at most a day, doubled: no overflow
	}
	return min(low, high)
}

// delay returns how long to wait before the next attempt, and whether the hub has
// said so. It is a random part of the whole (full jitter): devices that lost their
// connections together must not come back together.
func (c *Client) delay(why error, greeted bool) (wait time.Duration, told bool) {
	bound := backoffBound(c.cfg.MinBackoff, c.cfg.MaxBackoff, c.attempt)
	var least time.Duration
	switch closeCode(why) {
	case usercast.CloseRestarting:
		if s := spread(why); s > 0 {
			// A hub that goes on refusing is asked ever less, as any other.
			bound, told = max(bound, s), true
		}
	case usercast.CloseUnauthorized:
		if !greeted {
			least = c.cfg.MinBackoff // full jitter may mean at once, and that would be a loop
		}
	}
	return least + time.Duration(c.random()*float64(bound)), told
}

// spread reads "restarting; spreadMs=N"; 0 if there is no such number.
func spread(why error) time.Duration {
	ce := (*CloseError)(nil)
	if !errors.As(why, &ce) {
		return 0
	}
	_, rest, _ := strings.Cut(ce.Reason, "spreadMs=")
	end := 0
	for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
		end++
	}
	ms, err := strconv.ParseUint(rest[:end], 10, 64)
	if errors.Is(err, strconv.ErrRange) || ms > uint64(maxSpread/time.Millisecond) {
		return maxSpread
	}
	return time.Duration(ms) * time.Millisecond
}
