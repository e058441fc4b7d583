//go:build !linux

package usercast

// A poller lets idle connections go without a goroutine. Only Linux has one.
type poller struct{}

func (p *poller) watch(*conn) bool { return false }
func (p *poller) forget(*conn)     {}
func (p *poller) stop()            {}

func canIdle(*wire) bool { return false }

func tryRead(*wire, []byte) (n int, again bool, err error) { return 0, false, nil }
