package dialect

import (
	"bytes"
	"fmt"
)

// WS speaks to the hand-written server on Node's ws, which replays what follows a sequence number.
type WS struct{ Plain }

// Target implements Dialect.
func (WS) Target(d Device) string {
	target := "/ws?user=" + d.User
	if last, found := lastNumberAfter(d.LastEvent, `"seq":`); found {
		target += fmt.Sprintf("&after=%d", last)
	}
	return target
}

// SocketIO speaks Socket.IO 4 over Engine.IO 4, straight over WebSocket.
type SocketIO struct{ Plain }

// Target implements Dialect.
func (SocketIO) Target(d Device) string {
	return "/socket.io/?EIO=4&transport=websocket&user=" + d.User
}

// Opening implements Dialect: the namespace's CONNECT packet. The server takes it before its own Engine.IO greeting
// has arrived here.
func (SocketIO) Opening(d Device) string {
	if !d.Returning() {
		return "40"
	}
	return fmt.Sprintf(`40{"pid":"%s","offset":"%s"}`, textAfter(d.Greeting, `"pid":"`, `"`), lastOffset(d.LastEvent))
}

// ReadyAfterUpgrade implements Dialect.
func (SocketIO) ReadyAfterUpgrade() bool { return false }

// React implements Dialect.
func (SocketIO) React(frame []byte) Reaction {
	if string(frame) == "2" {
		return Reaction{Answer: "3"} // Engine.IO's ping and pong
	}
	connected := bytes.HasPrefix(frame, []byte(`40{"sid"`))
	return Reaction{Ready: connected, Keep: connected}
}

// lastOffset reads the last element of an event packet, 42["type",{…},"offset"].
func lastOffset(frame []byte) string {
	frame = bytes.TrimSuffix(frame, []byte(`"]`))
	return string(frame[bytes.LastIndexByte(frame, '"')+1:])
}
