// Package control is the thin line between the benchmark and a server under test: one JSON object per line, commands
// on the server's standard input, replies on its standard output. Events never travel here; they originate inside
// the server, as they do in an application that calls Broadcast after a write.
package control

// The commands a server understands.
const (
	OpPublish = "publish" // publish events as told; replies when the last one was handed over
	OpAck     = "ack"     // every device has received Round; no reply
	OpStat    = "stat"    // reply with the process's counters
	OpSettle  = "settle"  // collect garbage, give memory back, then reply as OpStat does
)

// Command is one line to a server.
type Command struct {
	ID int64  `json:"id,omitempty"`
	Op string `json:"op"`

	// Publishing goes in rounds: a round is one event to each of Users users, and its number is the sequence number
	// of those events. It ends at the first round boundary after Millis, or after Rounds when Millis is 0.
	Users  int    `json:"users,omitempty"`
	Prefix string `json:"prefix,omitempty"` // stands before the user IDs, to name users who are not there
	Millis int64  `json:"millis,omitempty"`
	Rounds int64  `json:"rounds,omitempty"`

	// Rate paces the events, per second. With 0 the server publishes as fast as it can, but never more than Window
	// rounds ahead of the last acknowledged one. Window 0 is no bound (for users who are absent).
	Rate   int   `json:"rate,omitempty"`
	Window int64 `json:"window,omitempty"`

	// Hot names a user who gets one more event beside each paced one.
	Hot string `json:"hot,omitempty"`

	Round int64 `json:"round,omitempty"` // of OpAck
}

// Reply is one line from a server. The first line of all has no ID and carries Port only.
type Reply struct {
	ID   int64 `json:"id"`
	Port int   `json:"port,omitempty"`

	Round  int64  `json:"round"`  // number of the last round published so far
	Events int64  `json:"events"` // published by this command
	Nanos  int64  `json:"nanos"`  // this command took
	Error  string `json:"error,omitempty"`

	Stat
}

// Stat is what a server process knows about itself.
type Stat struct {
	CPUNanos   int64 `json:"cpuNanos"`   // user and system time, getrusage
	RSSBytes   int64 `json:"rssBytes"`   // resident set
	HeapBytes  int64 `json:"heapBytes"`  // live and not yet collected objects
	StackBytes int64 `json:"stackBytes"` // of goroutines; 0 in Node
	Allocs     int64 `json:"allocs"`     // objects allocated since start; 0 where the runtime does not count them
	Goroutines int64 `json:"goroutines"` // 0 in Node
	Conns      int64 `json:"conns"`      // connections that the server counts as open
}
