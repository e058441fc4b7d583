// Package dialect speaks, from a device's side, the protocol of each contender: where to connect, what to say first,
// which frames want an answer, and how to resume where the device stopped.
package dialect

// Device is who connects, and what it still knows from the time before it lost its connection.
type Device struct {
	User string
	Name string // of the device, unique among all

	// Greeting and LastEvent are the frames from which a returning device takes its cursor; empty on a first visit.
	Greeting  []byte
	LastEvent []byte
}

// Returning tells whether the device has something to resume from.
func (d Device) Returning() bool { return len(d.Greeting) > 0 || len(d.LastEvent) > 0 }

// Reaction is what a frame that is not just an event means to the device.
type Reaction struct {
	Ready  bool   // from here on the device receives its events
	Keep   bool   // this is the Greeting
	Gap    bool   // the server says that it cannot replay everything
	Answer string // to be sent back, if not empty
}

// Dialect is the protocol of one contender. It keeps no state, so one value serves all devices.
type Dialect interface {
	// Target is the path and query of the handshake.
	Target(d Device) string
	// Opening is the text message to send right after the handshake; empty if the protocol has none.
	Opening(d Device) string
	// ReadyAfterUpgrade tells that no frame will say so.
	ReadyAfterUpgrade() bool
	// React looks at a frame that carries no event, or that arrived before the device was ready.
	React(frame []byte) Reaction
}

// Plain is a server that sends events and nothing else, and takes the user from the query.
type Plain struct{}

// Target implements Dialect.
func (Plain) Target(d Device) string { return "/ws?user=" + d.User }

// Opening implements Dialect.
func (Plain) Opening(Device) string { return "" }

// ReadyAfterUpgrade implements Dialect.
func (Plain) ReadyAfterUpgrade() bool { return true }

// React implements Dialect.
func (Plain) React([]byte) Reaction { return Reaction{} }
