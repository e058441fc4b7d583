package usercast

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// A Definition is what is known of one type of event.
type Definition struct {
	Name    string       // on the wire, "PENDING_CREATED"
	Class   Class        // of every event of that name
	Keyed   bool         // every event has a Key
	Payload reflect.Type // what Define was given
	Doc     string       // may be empty
	Source  string       // "file:line" of the call of Define
	Sent    uint64       // events that hubs of this process have accepted; BroadcastMany counts one a user
}

// A Catalog lists definitions, ordered by name. It is a snapshot and the caller's own.
type Catalog []Definition

// Defined returns all that [Define] and [DefineKeyed] have made in this process,
// in whatever package. It is safe for concurrent use.
func Defined() Catalog {
	defs := *catalog.byName.Load()
	list := make(Catalog, 0, len(defs))
	for _, d := range defs {
		list = append(list, d.snapshot())
	}
	slices.SortFunc(list, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// Lookup returns the definition of a name.
func (c Catalog) Lookup(name string) (Definition, bool) {
	for _, d := range c {
		if d.Name == name {
			return d, true
		}
	}
	return Definition{}, false
}

// NeverSent returns the names of events that are defined and were not sent yet: in
// a test that has gone through everything an application does, dead definitions
// or forgotten broadcasts.
func (c Catalog) NeverSent() (names []string) {
	for _, d := range c {
		if d.Sent == 0 {
			names = append(names, d.Name)
		}
	}
	return names
}

// A definition is a Definition that counts.
type definition struct {
	Definition
	sent atomic.Uint64
}

func (d *definition) snapshot() Definition {
	s := d.Definition
	s.Sent = d.sent.Load()
	return s
}

// catalog is the process's, as definitions are package-level variables. Broadcast
// asks it for every event, so readers take no lock: whoever defines copies.
var catalog = newRegistry()

type registry struct {
	mu     sync.Mutex // serialises add
	byName atomic.Pointer[map[string]*definition]
}

func newRegistry() *registry {
	r := new(registry)
	r.byName.Store(&map[string]*definition{})
	return r
}

// find returns the definition of a name, nil if there is none.
func (r *registry) find(name string) *definition { return (*r.byName.Load())[name] }

func (r *registry) add(d *definition) error {
	if err := (&Event{Type: d.Name}).check(); err != nil {
		return err
	}
	if d.Class < Buffered || d.Class > Latest {
		return fmt.Errorf("%s: %v is no class", d.Name, d.Class)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.byName.Load()
	if before := old[d.Name]; before != nil {
		return errors.New(d.Name + " is defined already, at " + before.Source)
	}
	defs := maps.Clone(old)
	defs[d.Name] = d
	r.byName.Store(&defs)
	return nil
}

// sent returns how often each defined event was sent.
func (r *registry) sent() map[string]uint64 {
	defs := *r.byName.Load()
	m := make(map[string]uint64, len(defs))
	for name, d := range defs {
		m[name] = d.sent.Load()
	}
	return m
}
