package client

import (
	"container/list"

	"github.com/usercast-go/usercast"
)

// Bounds of what Latest can return, each event counted by its type and, if it has
// a key, by type and key. The one that came longest ago goes first.
const (
	maxValues      = 1000
	maxValuesBytes = 2 * maxEventBytes // the largest event fits, under both its names
)

// values holds the newest event of each type, and of each type and key.
type values struct {
	order  list.List // of *value, the oldest first
	byName map[string]*list.Element
	bytes  int
}

type value struct {
	name string
	ev   *Event
}

// valueName: no type contains a space.
func valueName(typ, key string) string {
	if key == "" {
		return typ
	}
	return typ + " " + key
}

func (v *value) size() int { return len(v.name) + len(v.ev.Payload) }

func (vs *values) get(typ, key string) (Event, bool) {
	if e := vs.byName[valueName(typ, key)]; e != nil {
		return *e.Value.(*value).ev, true
	}
	return Event{}, false
}

// set makes ev the newest of its type, and of its type and key.
func (vs *values) set(ev *Event) {
	if ev.Key != "" {
		if ev.Class == usercast.Buffered {
			// As in the hub: a buffered event ends the value of its key.
			vs.forget(func(old *Event) bool {
				return old.Class == usercast.Latest && old.Key == ev.Key && old.Global == ev.Global
			})
		}
		vs.put(valueName(ev.Type, ev.Key), ev)
	}
	vs.put(ev.Type, ev)
	for len(vs.byName) > maxValues || vs.bytes > maxValuesBytes {
		vs.remove(vs.order.Front())
	}
}

func (vs *values) put(name string, ev *Event) {
	if e := vs.byName[name]; e != nil {
		vs.remove(e)
	}
	if vs.byName == nil {
		vs.byName = make(map[string]*list.Element)
	}
	v := &value{name, ev}
	vs.byName[name] = vs.order.PushBack(v)
	vs.bytes += v.size()
}

func (vs *values) remove(e *list.Element) {
	v := vs.order.Remove(e).(*value)
	delete(vs.byName, v.name)
	vs.bytes -= v.size()
}

// drop forgets what came from one scope: a gap has made it doubtful.
func (vs *values) drop(global bool) {
	vs.forget(func(ev *Event) bool { return ev.Global == global })
}

func (vs *values) forget(which func(*Event) bool) {
	for e := vs.order.Front(); e != nil; {
		next := e.Next()
		if which(e.Value.(*value).ev) {
			vs.remove(e)
		}
		e = next
	}
}
