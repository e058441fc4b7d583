package dialect

import (
	"bytes"
	"fmt"
)

// Centrifuge speaks the JSON protocol of centrifugal/centrifuge with server-side subscriptions.
type Centrifuge struct{ Plain }

// Opening implements Dialect: the connect command, with the position to recover from.
func (Centrifuge) Opening(d Device) string {
	if !d.Returning() {
		return `{"id":1,"connect":{}}`
	}
	offset, found := lastNumberAfter(d.LastEvent, `"offset":`)
	if !found {
		offset, _ = lastNumberAfter(d.Greeting, `"offset":`)
	}
	return fmt.Sprintf(`{"id":1,"connect":{"subs":{"user:%s":{"recover":true,"epoch":"%s","offset":%d}}}}`,
		d.User, textAfter(d.Greeting, `"epoch":"`, `"`), offset)
}

// ReadyAfterUpgrade implements Dialect.
func (Centrifuge) ReadyAfterUpgrade() bool { return false }

// React implements Dialect. An empty object is the server's ping, and wants the same back.
func (Centrifuge) React(frame []byte) Reaction {
	if string(frame) == "{}" {
		return Reaction{Answer: "{}"}
	}
	connected := bytes.Contains(frame, []byte(`"connect":{`))
	return Reaction{
		Ready: connected,
		Keep:  connected,
		Gap:   connected && bytes.Contains(frame, []byte(`"was_recovering":true`)) && !bytes.Contains(frame, []byte(`"recovered":true`)),
	}
}
