package api

import (
	"net/http"
	"sync"
	"time"
)

// Health is what the monitor shows of the whole hub.
type Health struct {
	Connections     int64   `json:"connections"`
	Users           int64   `json:"users"`
	Broadcasts      uint64  `json:"broadcasts"` // events accepted
	Delivered       uint64  `json:"delivered"`  // frames handed to sockets
	Gaps            uint64  `json:"gaps"`       // told to devices
	EventsPerSecond float64 `json:"eventsPerSecond"`
	Buffered        int64   `json:"buffered"` // events kept for devices that come back
	UptimeMs        int64   `json:"uptimeMs"`
}

// A monitor computes rates. Pages ask every other second; several of them share its samples.
type monitor struct {
	started time.Time

	mu        sync.Mutex
	old, last sample
}

type sample struct {
	at         time.Time
	broadcasts uint64
}

// sampleAge is how old the newest sample gets before there is another one. So a rate is
// of the last 1 to 2 s, or of all the time since anybody has asked.
const sampleAge = time.Second

// perSecond returns how many broadcasts there are a second.
func (m *monitor) perSecond(now time.Time, broadcasts uint64) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last.at.IsZero() {
		m.last.at = m.started
	}
	if now.Sub(m.last.at) >= sampleAge {
		m.old, m.last = m.last, sample{now, broadcasts}
	}
	if m.old.at.IsZero() || broadcasts < m.old.broadcasts {
		return 0
	}
	return float64(broadcasts-m.old.broadcasts) / now.Sub(m.old.at).Seconds()
}

func (a *API) readMonitor(w http.ResponseWriter, _ *http.Request, _ string) error {
	s, now := a.cfg.Hub.Stats(), time.Now()
	h := Health{
		Connections: s.Connections,
		Users:       s.Users,
		Delivered:   s.Delivered,
		Buffered:    s.BufferedEvents,
		UptimeMs:    now.Sub(a.monitor.started).Milliseconds(),
	}
	for _, n := range s.Broadcasts {
		h.Broadcasts += n
	}
	for _, n := range s.Gaps {
		h.Gaps += n
	}
	h.EventsPerSecond = a.monitor.perSecond(now, h.Broadcasts)
	return respond(w, http.StatusOK, h)
}
