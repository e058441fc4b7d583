package usercast

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

type testOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

type testJob struct {
	JobID    string `json:"jobId"`
	Progress int    `json:"progress"`
}

func testJobKey(j testJob) string {
	if j.JobID == "panic" {
		panic("on purpose")
	}
	if j.JobID == "" {
		return ""
	}
	return "job:" + j.JobID
}

// Names of these tests' own: the catalog is the process's.
var (
	testCreated   = Define[testOrders]("TEST_CREATED", Buffered, "Orders were created.", "One event for each batch.")
	testHint      = Define[testOrders]("TEST_HINT", Transient)
	testProgress  = DefineKeyed("TEST_JOB", Latest, testJobKey) // no _PROGRESS: the class is the definition's
	testCompleted = DefineKeyed("TEST_JOB_END", Buffered, testJobKey)
	testAnything  = Define[any]("TEST_ANYTHING", Buffered)
	testUnsent    = Define[testOrders]("TEST_UNSENT", Buffered)
)

func TestDefinedEventsOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{Classify: func(Event) Class { return Buffered }})
		one := s.dial("user=ann&device=one")
		one.must("hub.live")

		steps := []struct {
			send       func() error
			typ, class string
			key        string
		}{
			{func() error { return testCreated.Broadcast(s.hub, "ann", testOrders{[]string{"a"}, 1}) }, "TEST_CREATED", "", ""},
			{func() error { return testHint.Broadcast(s.hub, "ann", testOrders{}) }, "TEST_HINT", "transient", ""},
			{func() error { return testProgress.Broadcast(s.hub, "ann", testJob{"7", 50}) }, "TEST_JOB", "latest", "job:7"},
			{func() error { return testCompleted.Broadcast(s.hub, "ann", testJob{"7", 100}) }, "TEST_JOB_END", "", "job:7"},
			{func() error {
				return testCreated.BroadcastMany(context.Background(), s.hub, []string{"ann", "bob"}, testOrders{})
			}, "TEST_CREATED", "", ""},
			{func() error { return testAnything.Broadcast(s.hub, "ann", 42) }, "TEST_ANYTHING", "", ""},
			{func() error { return testAnything.Broadcast(s.hub, "ann", nil) }, "TEST_ANYTHING", "", ""},
		}
		for _, want := range steps {
			if err := want.send(); err != nil {
				t.Fatalf("%s: %v", want.typ, err)
			}
			if f := one.must(want.typ); f.Class != want.class || f.Key != want.key {
				t.Errorf("%s: got class %q and key %q, want %q and %q", f.Type, f.Class, f.Key, want.class, want.key)
			}
		}
		if err := testCreated.BroadcastAll(context.Background(), s.hub, testOrders{}); err != nil {
			t.Fatal(err)
		}
		if f := one.must("TEST_CREATED"); f.Scope != scopeAll {
			t.Errorf("got scope %q, want all", f.Scope)
		}

		// No echo to the device that caused it; and the type itself has not changed.
		two := s.dial("user=ann&device=two")
		two.must("hub.live")
		if err := testCreated.Except("one").Broadcast(s.hub, "ann", testOrders{Count: 8}); err != nil {
			t.Fatal(err)
		}
		if err := testCreated.Broadcast(s.hub, "ann", testOrders{Count: 9}); err != nil {
			t.Fatal(err)
		}
		if f := one.must("TEST_CREATED"); !strings.Contains(string(f.Payload), `"count":9`) {
			t.Errorf("device one got %s, want count 9 next", f.Payload)
		}
		if f := two.must("TEST_CREATED"); !strings.Contains(string(f.Payload), `"count":8`) {
			t.Errorf("device two got %s, want count 8", f.Payload)
		}
	})
}

// An event sent by its name alone is held to its definition.
func TestDefinitionsHoldForPlainEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		cursor := s.hub.Cursor("ann")
		for name, ev := range map[string]Event{
			"another struct": {Type: "TEST_CREATED", Payload: testJob{}},
			"a map":          {Type: "TEST_CREATED", Payload: map[string]any{"orderIds": nil}},
			"nothing":        {Type: "TEST_CREATED"},
			"a nil pointer":  {Type: "TEST_CREATED", Payload: (*testOrders)(nil)},
			"no key":         {Type: "TEST_JOB_END", Payload: testJob{JobID: "7"}},
			"no latest key":  {Type: "TEST_JOB", Payload: testJob{JobID: "7"}},
		} {
			if err := s.hub.Broadcast("ann", ev); !errors.Is(err, ErrInvalidEvent) || !strings.Contains(err.Error(), "define_test.go:") {
				t.Errorf("%s: got %v, want ErrInvalidEvent that names the definition", name, err)
			}
			if _, err := ev.Freeze(); !errors.Is(err, ErrInvalidEvent) {
				t.Errorf("%s: Freeze: got %v, want ErrInvalidEvent", name, err)
			}
		}
		if err := testCompleted.Broadcast(s.hub, "ann", testJob{}); !errors.Is(err, ErrInvalidEvent) {
			t.Errorf("empty key: got %v, want ErrInvalidEvent", err)
		}
		if err := testProgress.Broadcast(s.hub, "ann", testJob{JobID: "panic"}); !errors.Is(err, ErrPanic) {
			t.Errorf("panic in key: got %v, want ErrPanic", err)
		}
		if got := s.hub.Cursor("ann"); got != cursor {
			t.Errorf("refused events moved the cursor from %v to %v", cursor, got)
		}
		for name, ev := range map[string]Event{
			"the type":  {Type: "TEST_CREATED", Payload: testOrders{}},
			"a pointer": {Type: "TEST_CREATED", Payload: &testOrders{}},
			"raw JSON":  {Type: "TEST_CREATED", Payload: json.RawMessage(`{}`)},
		} {
			if err := s.hub.Broadcast("ann", ev); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestDefineRefuses(t *testing.T) {
	for want, fn := range map[string]func(){
		"TEST_CREATED is defined already, at ": func() { Define[int]("TEST_CREATED", Buffered) },
		"Type is empty":                        func() { Define[int]("", Buffered) },
		"the hub's own":                        func() { Define[int]("hub.mine", Buffered) },
		"Class(0) is no class":                 func() { Define[int]("TEST_NO_CLASS", 0) },
		"use DefineKeyed":                      func() { Define[int]("TEST_LATEST", Latest) },
		"key is nil":                           func() { DefineKeyed[int]("TEST_NO_KEY", Latest, nil) },
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got panic %q, want %q", got, want)
				}
			}()
			fn()
		}()
	}
	for _, name := range []string{"TEST_NO_CLASS", "TEST_LATEST", "TEST_NO_KEY"} {
		if _, ok := Defined().Lookup(name); ok {
			t.Errorf("%s is in the catalog though it was refused", name)
		}
	}
}

func TestZeroEventType(t *testing.T) {
	var zero EventType[testOrders]
	if zero.Name() != "" || zero.Class() != 0 {
		t.Errorf("got %q %v", zero.Name(), zero.Class())
	}
	s := newSite(t, Config{})
	for name, err := range map[string]error{
		"Broadcast":     zero.Except("one").Broadcast(s.hub, "ann", testOrders{}),
		"BroadcastMany": zero.BroadcastMany(context.Background(), s.hub, []string{"ann"}, testOrders{}),
		"BroadcastAll":  zero.BroadcastAll(context.Background(), s.hub, testOrders{}),
	} {
		if !errors.Is(err, ErrInvalidEvent) {
			t.Errorf("%s: got %v, want ErrInvalidEvent", name, err)
		}
	}
}

func TestCatalogCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, Config{})
		sent := func() uint64 {
			d, ok := Defined().Lookup("TEST_CREATED")
			if !ok || d.Sent != s.hub.Stats().Sent["TEST_CREATED"] {
				t.Fatalf("got %+v and %d in Stats", d, s.hub.Stats().Sent["TEST_CREATED"])
			}
			return d.Sent
		}
		before := sent()
		testCreated.Broadcast(s.hub, "ann", testOrders{})
		testCreated.Broadcast(s.hub, "", testOrders{}) // refused
		s.hub.Broadcast("ann", Event{Type: "TEST_CREATED", Payload: testOrders{}})
		testCreated.BroadcastMany(context.Background(), s.hub, []string{"ann", "bob", "ann"}, testOrders{})
		testCreated.BroadcastAll(context.Background(), s.hub, testOrders{})
		if got := sent() - before; got != 5 {
			t.Errorf("got %d more, want 5", got)
		}

		d, _ := Defined().Lookup("TEST_CREATED")
		if d.Class != Buffered || d.Keyed || d.Payload.Name() != "testOrders" || !strings.Contains(d.Source, "define_test.go:") ||
			d.Doc != "Orders were created. One event for each batch." {
			t.Errorf("got %+v", d)
		}
		names := strings.Join(Defined().NeverSent(), " ")
		if !strings.Contains(names, testUnsent.Name()) || strings.Contains(names, "TEST_CREATED") {
			t.Errorf("never sent: got %s", names)
		}
		if _, ok := s.hub.Stats().Sent[testUnsent.Name()]; !ok {
			t.Error("an event that was never sent is not in Stats")
		}
	})
}

func TestFreeze(t *testing.T) {
	ids := []string{"a"}
	ev, err := testCreated.Except("one").Event(testOrders{ids, 1})
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := ev.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	ids[0] = "changed"
	raw, ok := frozen.Payload.(json.RawMessage)
	if want := `{"orderIds":["a"],"count":1}`; !ok || string(raw) != want || frozen.Except != "one" || frozen.Type != "TEST_CREATED" {
		t.Errorf("got %+v, want %s", frozen, want)
	}
	for name, bad := range map[string]Event{
		"a channel": {Type: "T", Payload: make(chan int)},
		"not UTF-8": {Type: "T", Payload: "\xff"},
	} {
		if _, err := bad.Freeze(); !errors.Is(err, ErrPayload) {
			t.Errorf("%s: got %v, want ErrPayload", name, err)
		}
	}
	// What one event leaves in the shared encoder must not show in the next.
	again, err := Event{Type: "T", Payload: 1}.Freeze()
	if err != nil || string(again.Payload.(json.RawMessage)) != "1" || string(raw) != `{"orderIds":["a"],"count":1}` {
		t.Errorf("got %v %v, and before it %s", again, err, raw)
	}
}
