package usercasttest

import (
	"slices"
	"testing"

	"github.com/usercast-go/usercast"
)

// RequireAllSent fails the test for every event that [usercast.Define] knows and that
// no hub, and no Recorder, of this process has sent: at the end of a test that goes
// through everything an application does. except names events that are not expected.
func RequireAllSent(t testing.TB, except ...string) {
	t.Helper()
	defined := usercast.Defined()
	for _, name := range defined.NeverSent() {
		if !slices.Contains(except, name) {
			d, _ := defined.Lookup(name)
			t.Errorf("usercasttest: %s is defined (%s) and was never sent", name, d.Source)
		}
	}
	for _, name := range except {
		if d, ok := defined.Lookup(name); !ok {
			t.Errorf("usercasttest: %s is excepted and not defined", name)
		} else if d.Sent > 0 {
			t.Errorf("usercasttest: %s is excepted and was sent: it need not be named any more", name)
		}
	}
}
