package client

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/usercast-go/usercast"
)

// On calls fn with every event of a type, its payload decoded by encoding/json
// into a T. pattern may also be a prefix and "*", as in [Client.On], for types that
// share their payload. A payload that does not decode goes to Config.OnError as
// [ErrPayload], and other handlers are not disturbed.
//
// The rest is as [Client.On] says.
func On[T any](c *Client, pattern string, fn func(payload T, meta Meta)) (remove func()) {
	return c.handlers.add(pattern, func(ev Event) error {
		var payload T
		if err := json.Unmarshal(ev.Payload, &payload); err != nil {
			return fmt.Errorf("%w: it is no %v: %w", ErrPayload, reflect.TypeFor[T](), err)
		}
		fn(payload, ev.Meta)
		return nil
	})
}

// OnEvent is [On] for a type of event that package usercast's Define has made: the
// name and the payload's type are written down once, for both sides.
func OnEvent[T any](c *Client, event usercast.EventType[T], fn func(payload T, meta Meta)) (remove func()) {
	return On(c, event.Name(), fn)
}

// On calls fn with every event whose type is pattern; "JOB_*" means every type that
// begins with "JOB_", and "*" all of them. The hub's own messages, hub.*, are no
// events.
//
// Handlers run in the goroutine that called Run, in the order in which they were
// added, each with every event, in order and once. One that takes long delays all
// that follows: the connection stays alive, and what comes meanwhile waits, in the
// client (256 events or 1 MiB) and in the hub.
//
// remove may be called anywhere and more than once. When it returns, fn is not
// called again; but if another goroutine calls it while Run's is in fn, that one call goes
// on. A handler that is added gets what is dispatched from then on. On may be
// called before, while and after Run runs, by handlers too, from many goroutines
// at once.
func (c *Client) On(pattern string, fn func(Event)) (remove func()) {
	return c.handlers.add(pattern, func(ev Event) error {
		fn(ev)
		return nil
	})
}

// handlers is a list that is read without a lock: whoever changes it copies.
type handlers struct {
	mu   sync.Mutex // serialises changes
	list atomic.Pointer[[]*handler]
}

type handler struct {
	pattern string
	prefix  bool // pattern is what a type begins with
	fn      func(Event) error
	gone    atomic.Bool
}

func (h *handler) takes(typ string) bool {
	if h.prefix {
		return strings.HasPrefix(typ, h.pattern)
	}
	return typ == h.pattern
}

func (hs *handlers) all() []*handler {
	if list := hs.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (hs *handlers) add(pattern string, fn func(Event) error) (remove func()) {
	h := &handler{fn: fn}
	h.pattern, h.prefix = strings.CutSuffix(pattern, "*")
	hs.change(func(list []*handler) []*handler { return append(list, h) })
	return func() {
		if !h.gone.Swap(true) {
			hs.change(func(list []*handler) []*handler {
				return slices.DeleteFunc(list, func(o *handler) bool { return o == h })
			})
		}
	}
}

func (hs *handlers) change(to func([]*handler) []*handler) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	list := to(slices.Clone(hs.all()))
	hs.list.Store(&list)
}

// dispatch runs the handlers of an event. What goes wrong in one stays there.
func (c *Client) dispatch(ev Event) {
	for _, h := range c.handlers.all() {
		if h.gone.Load() || !h.takes(ev.Type) {
			continue
		}
		if err := contain("a handler", func() error { return h.fn(ev) }); err != nil {
			c.report(fmt.Errorf("%s at %v: %w", clip(ev.Type), ev.Timestamp, err))
		}
	}
}

// guard runs code of the caller's. Its error or panic goes to OnError, and nowhere else.
func (c *Client) guard(what string, fn func() error) {
	if err := contain(what, fn); err != nil {
		c.report(err)
	}
}

// contain turns a panic into an error. [runtime.Goexit] passes: it is how a test
// fails inside a handler, and Run cleans up after it.
func contain(what string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v\n%s", usercast.ErrPanic, what, p, debug.Stack())
		}
	}()
	return fn()
}

// report hands an error to OnError, or to the log.
func (c *Client) report(err error) {
	if c.cfg.OnError == nil {
		c.cfg.Logger.Error("usercast client: " + err.Error())
		return
	}
	again := contain("OnError", func() error { c.cfg.OnError(err); return nil })
	if again != nil {
		c.cfg.Logger.Error("usercast client: "+again.Error(), "while", err.Error())
	}
}
