package client

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
)

// TestInbox keeps order, holds no more than it may, and one message whatever its size.
func TestInbox(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		want int // messages that wait
	}{
		{"many", 10, maxInboxMessages},
		{"large", maxInboxBytes / 4, 4},
		{"larger than it", maxInboxBytes + 1, 1},
		{"empty", 0, maxInboxMessages},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newInbox()
				const n = 1000
				pushed := 0
				done := make(chan bool)
				go func() {
					defer close(done)
					for i := range n {
						in.push(message{data: make([]byte, tt.size), problem: errors.New(fmt.Sprint(i))})
						pushed++
					}
				}()
				synctest.Wait()
				if pushed != tt.want {
					t.Errorf("%d messages were taken without a reader, want %d", pushed, tt.want)
				}
				for i := range n {
					<-in.ready
					m, ok := in.pop()
					if !ok || m.problem.Error() != fmt.Sprint(i) {
						t.Fatalf("message %d: %v, %v", i, m.problem, ok)
					}
					synctest.Wait()
					if len(in.queue) > 0 {
						select {
						case in.ready <- struct{}{}: // as a reader that goes on popping
						default:
						}
					}
				}
				<-done
				if _, ok := in.pop(); ok || in.bytes != 0 {
					t.Errorf("at the end: a message: %v, %d bytes", ok, in.bytes)
				}
			})
		})
	}
}

// TestInboxClose frees who waits, and drops what comes.
func TestInboxClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		done := make(chan bool)
		go func() {
			defer close(done)
			for range 2 * maxInboxMessages {
				in.push(message{})
			}
		}()
		synctest.Wait()
		in.close()
		<-done
		if _, ok := in.pop(); ok {
			t.Error("a message after close")
		}
	})
}
