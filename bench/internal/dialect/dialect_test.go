package dialect

import (
	"net/url"
	"strings"
	"testing"
)

func TestUsercastResumesFromItsLastEvent(t *testing.T) {
	d := Device{
		User:      "u7",
		Name:      "d21",
		Greeting:  []byte(`{"type":"hub.hello","payload":{"epoch":"e1"},"timestamp":"2026-01-02T03:04:05.000001Z"}`),
		LastEvent: []byte(`{"type":"X","payload":{"seq":1},"timestamp":"2026-01-02T03:04:06.000002Z"}`),
	}
	target, err := url.Parse(Usercast{}.Target(d))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"device": "d21", "epoch": "e1", "lastEventTs": "2026-01-02T03:04:06.000002Z"} {
		if got := target.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if strings.Count(target.Query().Get("token"), ".") != 2 {
		t.Error("no token")
	}
	d.LastEvent = nil
	if got := (Usercast{}).Target(d); !strings.Contains(got, "05.000001Z") {
		t.Errorf("without an event the greeting's timestamp is the cursor; got %s", got)
	}
}

func TestCentrifugeRecoversFromItsPosition(t *testing.T) {
	d := Device{User: "u1"}
	if got, want := (Centrifuge{}).Opening(d), `{"id":1,"connect":{}}`; got != want {
		t.Errorf("first visit: got %s, want %s", got, want)
	}
	d.Greeting = []byte(`{"id":1,"connect":{"subs":{"user:u1":{"epoch":"abc","offset":3}}}}`)
	d.LastEvent = []byte(`{"push":{"pub":{"data":{"seq":4},"offset":4}}}` + "\n" + `{"push":{"pub":{"data":{"seq":5},"offset":5}}}`)
	want := `{"id":1,"connect":{"subs":{"user:u1":{"recover":true,"epoch":"abc","offset":5}}}}`
	if got := (Centrifuge{}).Opening(d); got != want {
		t.Errorf("return: got %s, want %s", got, want)
	}
}

func TestSocketIORecoversFromItsOffset(t *testing.T) {
	d := Device{
		User:      "u1",
		Greeting:  []byte(`40{"sid":"s","pid":"p9"}`),
		LastEvent: []byte(`42["ORDER_UPDATED",{"payload":{"seq":5}},"PzFLMW6"]`),
	}
	if got, want := (SocketIO{}).Opening(d), `40{"pid":"p9","offset":"PzFLMW6"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestWSResumesFromItsSequenceNumber(t *testing.T) {
	d := Device{User: "u1", LastEvent: []byte(`{"payload":{"seq":41,"at":1}}`)}
	if got, want := (WS{}).Target(d), "/ws?user=u1&after=41"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestReactions(t *testing.T) {
	for _, c := range []struct {
		dialect Dialect
		frame   string
		want    Reaction
	}{
		{Usercast{}, `{"type":"hub.hello"}`, Reaction{Keep: true}},
		{Usercast{}, `{"type":"hub.live"}`, Reaction{Ready: true}},
		{Usercast{}, `{"type":"hub.gap"}`, Reaction{Gap: true}},
		{Centrifuge{}, `{}`, Reaction{Answer: "{}"}},
		{Centrifuge{}, `{"id":1,"connect":{"client":"c"}}`, Reaction{Ready: true, Keep: true}},
		{SocketIO{}, `2`, Reaction{Answer: "3"}},
		{SocketIO{}, `0{"sid":"x"}`, Reaction{}},
		{SocketIO{}, `40{"sid":"x"}`, Reaction{Ready: true, Keep: true}},
		{Plain{}, `anything`, Reaction{}},
	} {
		if got := c.dialect.React([]byte(c.frame)); got != c.want {
			t.Errorf("%T on %s: got %+v, want %+v", c.dialect, c.frame, got, c.want)
		}
	}
}
