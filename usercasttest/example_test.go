package usercasttest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/usercasttest"
)

// A shop is what stands for an application here.
type shop struct{ events usercast.Broadcaster }

func (s shop) createOrder(user, id string) error {
	return created.Broadcast(s.events, user, order{id})
}

// An application's test with real devices: what was missed is heard after a cut.
func Example() {
	_ = func(t *testing.T) { // func TestOrders(t *testing.T) {
		srv := usercasttest.NewServer(t, usercast.Config{})
		app := shop{srv}
		laptop, phone := srv.Dial("alice"), srv.Dial("alice")

		phone.Leave()
		if err := app.createOrder("alice", "o-1"); err != nil {
			t.Fatal(err)
		}
		if got := usercasttest.RequireEvent(laptop, created); got.ID != "o-1" {
			t.Errorf("got %v", got)
		}
		phone.Return()
		usercasttest.RequireEvent(phone, created)
		usercasttest.RequireNoEvent(phone, deleted)
	}
	// Output:
}

// A unit test without connections.
func ExampleRecorder() {
	_ = func(t *testing.T) { // func TestCreateOrder(t *testing.T) {
		recorder := usercasttest.NewRecorder(t)
		if err := (shop{recorder}).createOrder("alice", "o-1"); err != nil {
			t.Fatal(err)
		}
		if got := usercasttest.RequireSent(recorder, "alice", created); got.ID != "o-1" {
			t.Errorf("got %v", got)
		}
		recorder.RequireNothingSent()
	}
	// Output:
}

// An hour of fake time: the token has ended and was renewed, and nobody noticed.
func ExampleServer_Dial() {
	_ = func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			srv := usercasttest.NewServer(t, usercast.Config{})
			device := srv.Dial("alice", usercasttest.As("laptop"))
			time.Sleep(90 * time.Minute)
			if err := created.Broadcast(srv, "alice", order{"o-1"}); err != nil {
				t.Fatal(err)
			}
			usercasttest.RequireEvent(device, created)
			device.RequireNoGap()
		})
	}
	// Output:
}
