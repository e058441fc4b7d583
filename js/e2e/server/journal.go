package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/usercast-go/usercast"
)

// A journal keeps what the hub has seen, in order, for as long as the process lives.
// It is safe for concurrent use.
type journal struct {
	mu    sync.Mutex
	lines []line
}

// A line is one thing that happened.
type line struct {
	What string `json:"what"` // attempt, connect, disconnect, message
	At   int64  `json:"at"`   // ms since the epoch

	// Of an attempt: what the client asked for, its token left out.
	LastEventTs string `json:"lastEventTs,omitempty"`
	Epoch       string `json:"epoch,omitempty"`

	Device  string `json:"device,omitempty"`
	User    string `json:"user,omitempty"`
	Conn    string `json:"conn,omitempty"`
	Verdict string `json:"verdict,omitempty"`
	Reason  string `json:"reason,omitempty"` // of the gap, or of the close
	Code    int    `json:"code,omitempty"`
	Text    string `json:"text,omitempty"`
}

func (j *journal) write(l line) {
	l.At = time.Now().UnixMilli()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, l)
}

func (j *journal) read() []line {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]line{}, j.lines...) // [] in JSON, never null
}

// attempt notes a handshake before the hub has judged it.
func (j *journal) attempt(r *http.Request) {
	q := r.URL.Query()
	j.write(line{What: "attempt", Device: q.Get("device"), LastEventTs: q.Get("lastEventTs"), Epoch: q.Get("epoch")})
}

func (j *journal) connected(c usercast.ConnInfo) {
	j.write(line{What: "connect", User: c.UserID, Device: c.Device, Conn: c.ID, Verdict: string(c.Verdict), Reason: string(c.GapReason)})
}

func (j *journal) disconnected(c usercast.ConnInfo) {
	j.write(line{What: "disconnect", User: c.UserID, Device: c.Device, Conn: c.ID, Code: c.CloseCode, Reason: c.CloseReason})
}

func (j *journal) message(c usercast.ConnInfo, data []byte) {
	j.write(line{What: "message", User: c.UserID, Conn: c.ID, Text: string(data)})
}
