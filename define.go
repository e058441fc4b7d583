package usercast

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
)

// A Broadcaster takes events for users: a [Hub], an outbox that sends them after a
// commit, a recorder in a test. Code that emits events asks for one of these, and
// runs with each of them.
type Broadcaster interface {
	Broadcast(userID string, ev Event) error
}

// An EventType is a type of event whose payload is a T: the name, the class and
// the payload's type are written down once, and a wrong payload does not compile.
// [Define] makes one, at package level:
//
//	var PendingCreated = usercast.Define[PendingOrders]("PENDING_CREATED", usercast.Buffered)
//	…
//	err := PendingCreated.Broadcast(hub, userID, PendingOrders{OrderIDs: ids, Count: len(ids)})
//
// It is a small value, safe for concurrent use. The zero value refuses to broadcast, by
// [ErrInvalidEvent].
type EventType[T any] struct {
	def    *definition
	key    func(T) string
	except string
}

// Define makes a type of event and puts it into the process's [Catalog]. name is
// what goes over the wire, with the bounds of Event.Type. class holds for every
// event of that name, however it is sent; Config.Classify is not asked. doc says
// what the event means and when it is sent: it reaches schemas and generated types.
//
// Like [http.HandleFunc], it is for package-level variables and panics where it
// can never work: a name that the wire cannot carry or that is defined already, a
// class that is none, or [Latest], which needs a key: see [DefineKeyed].
func Define[T any](name string, class Class, doc ...string) EventType[T] {
	if class == Latest {
		panic(fmt.Sprintf("usercast: Define: %s: a latest event needs a key: use DefineKeyed", name))
	}
	return EventType[T]{def: mustDefine[T](name, class, false, doc)}
}

// DefineKeyed is [Define] for events about a thing whose newest value matters: key
// names it, "job:42", with the bounds of Event.Key. A [Latest] event is the newest
// value of its key, and a [Buffered] event with the same key is the end of it. key
// is called by Broadcast, from many goroutines; an empty key is an error there.
func DefineKeyed[T any](name string, class Class, key func(payload T) string, doc ...string) EventType[T] {
	if key == nil {
		panic(fmt.Sprintf("usercast: DefineKeyed: %s: key is nil: use Define", name))
	}
	return EventType[T]{def: mustDefine[T](name, class, true, doc), key: key}
}

func mustDefine[T any](name string, class Class, keyed bool, doc []string) *definition {
	d := &definition{Definition: Definition{
		Name:    name,
		Class:   class,
		Keyed:   keyed,
		Payload: reflect.TypeFor[T](),
		Doc:     strings.Join(doc, " "),
	}}
	d.Source = definedAt()
	if err := catalog.add(d); err != nil {
		panic("usercast: Define: " + err.Error())
	}
	return d
}

// definedAt returns "file:line" of whoever calls Define, or calls a function of
// this module's that does so for them, as emit.DefineJobs.
func definedAt() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		ours := strings.HasPrefix(f.Function, "github.com/usercast-go/usercast.mustDefine") ||
			strings.HasPrefix(f.Function, "github.com/usercast-go/usercast.Define") ||
			strings.HasPrefix(f.Function, "github.com/usercast-go/usercast/emit.Define")
		if !ours && f.File != "" {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

// errNoDefinition is what the zero EventType says.
var errNoDefinition = fmt.Errorf("%w: the zero EventType is no type of event: Define makes one", ErrInvalidEvent)

// Name returns the event's name on the wire, "" of the zero EventType.
func (e EventType[T]) Name() string {
	if e.def == nil {
		return ""
	}
	return e.def.Name
}

// Class returns the class that is fixed with the type, 0 of the zero EventType.
func (e EventType[T]) Class() Class {
	if e.def == nil {
		return 0
	}
	return e.def.Class
}

// Except returns the same type of event for everyone but the device (or
// connection) that caused it: see Event.Except.
//
//	PendingUpdated.Except(r.Header.Get("X-Device")).Broadcast(hub, userID, p)
func (e EventType[T]) Except(device string) EventType[T] {
	e.except = device
	return e
}

// Event returns the event, to be sent by whatever takes one. A key function that
// panics is an error that wraps [ErrPanic].
func (e EventType[T]) Event(payload T) (ev Event, err error) {
	if e.def == nil {
		return Event{}, errNoDefinition
	}
	ev = Event{Type: e.def.Name, Payload: payload, Except: e.except}
	if e.key == nil {
		return ev, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: the key of its definition: %v\n%s", ErrPanic, e.def.Name, p, debug.Stack())
		}
	}()
	ev.Key = e.key(payload)
	return ev, nil
}

// Broadcast sends the event to a user by to, with the errors of [Hub.Broadcast].
func (e EventType[T]) Broadcast(to Broadcaster, userID string, payload T) error {
	ev, err := e.Event(payload)
	if err != nil {
		return err
	}
	return to.Broadcast(userID, ev)
}

// A ManyBroadcaster sends one event to several users: a [Hub], or whatever stands
// before one.
type ManyBroadcaster interface {
	BroadcastMany(ctx context.Context, userIDs []string, ev Event) error
}

// BroadcastMany sends one event to several users, as [Hub.BroadcastMany] does.
func (e EventType[T]) BroadcastMany(ctx context.Context, to ManyBroadcaster, userIDs []string, payload T) error {
	ev, err := e.Event(payload)
	if err != nil {
		return err
	}
	return to.BroadcastMany(ctx, userIDs, ev)
}

// An AllBroadcaster sends one event to every connection: a [Hub], or whatever
// stands before one.
type AllBroadcaster interface {
	BroadcastAll(ctx context.Context, ev Event) error
}

// BroadcastAll sends the event to every connection, as [Hub.BroadcastAll] does.
func (e EventType[T]) BroadcastAll(ctx context.Context, to AllBroadcaster, payload T) error {
	ev, err := e.Event(payload)
	if err != nil {
		return err
	}
	return to.BroadcastAll(ctx, ev)
}

// fits says why an event, sent by whatever means under the name of a definition,
// is not one: listeners would get a payload of another shape, and never know.
func (d *definition) fits(ev *Event) error {
	if d.Keyed && ev.Key == "" {
		return fmt.Errorf("%w: %s: Key is empty, and its definition (%s) has one", ErrInvalidEvent, ev.Type, d.Source)
	}
	if _, raw := ev.Payload.(json.RawMessage); raw || d.Payload.Kind() == reflect.Interface {
		return nil // what it holds cannot be seen
	}
	switch t := reflect.TypeOf(ev.Payload); {
	case t == d.Payload:
		return nil
	case t != nil && t.Kind() == reflect.Pointer && t.Elem() == d.Payload && !reflect.ValueOf(ev.Payload).IsNil():
		return nil
	default:
		return fmt.Errorf("%w: %s: the payload is a %v, and its definition (%s) says %v", ErrInvalidEvent, ev.Type, t, d.Source, d.Payload)
	}
}
