//go:build !unix

package usercast

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: without non-blocking writes every connection takes the
// goroutine path, which is correct everywhere and only slower.
func rawConn(net.Conn) syscall.RawConn { return nil }

func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
