//go:build !unix

package usercast

import "net"

// tryWriterOf returns nil: without non-blocking writes every connection takes the
// goroutine path, which is correct everywhere and only slower.
func tryWriterOf(c net.Conn) tryWriter {
	w, _ := c.(tryWriter)
	return w
}
