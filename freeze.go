package usercast

import (
	"bytes"
	"encoding/json"
)

// Freeze returns the event with its payload marshalled, for whoever keeps an event
// to send it later: what becomes of the payload's maps and pointers meanwhile does
// not matter. The errors are those of [Hub.Broadcast] that can be known without
// a hub, so an event that freezes can fail by its size or a closed hub only.
func (ev Event) Freeze() (Event, error) {
	if err := ev.check(); err != nil {
		return Event{}, err
	}
	if def := catalog.find(ev.Type); def != nil {
		if err := def.fits(&ev); err != nil {
			return Event{}, err
		}
	}
	enc := getEncoder()
	defer enc.release()
	b, err := enc.payload(&ev)
	if err != nil {
		return Event{}, err
	}
	ev.Payload = json.RawMessage(bytes.Clone(b))
	return ev, nil
}
