// Package usercasttest is for the tests of applications that use package usercast.
//
// [NewServer] serves a real hub on an in-memory listener, and [Server.Dial] connects
// real devices to it:
//
//	srv := usercasttest.NewServer(t, usercast.Config{})
//	device := srv.Dial("alice")
//	app := newApp(srv.Hub())
//	… app creates an order …
//	created := usercasttest.RequireEvent(device, events.OrderCreated)
//	usercasttest.RequireNoEvent(device, events.OrderDeleted)
//
// Devices can be cut, stalled and sent away, and the hub restarted, to see that the
// application copes with replays and gaps. For tests that need no connection, a
// [Recorder] stands in for the hub and tells what was sent to whom.
//
// No test sleeps: whatever is required is waited for, and what must not come is
// ruled out by an event of the kit's own, behind which nothing can hide. All of it
// works inside a [testing/synctest] bubble, where hours of backoff and heartbeats
// take milliseconds; outside of one, waiting ends after 10 s.
//
// Everything ends with the test, and a goroutine that is left over fails it.
//
// Functions and methods that take no testing.TB report to the one that their server,
// device or recorder was made with. Those that can fail the test must be called
// from its goroutine, as [testing.TB.FailNow] demands; everything else is safe for
// concurrent use.
package usercasttest
