//go:build unix

package usercast

import (
	"net"
	"os"
	"syscall"
)

// tryWriterOf returns a plain socket's non-blocking side, nil for any other
// connection (TLS, net.Pipe, a wrapper of the caller's).
func tryWriterOf(c net.Conn) tryWriter {
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	case tryWriter:
		return c
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	return rawSocket{raw}
}

type rawSocket struct{ syscall.RawConn }

func (s rawSocket) tryWrite(p []byte) (n int, err error) {
	cerr := s.Write(func(fd uintptr) bool {
		for {
			n, err = syscall.Write(int(fd), p)
			if err != syscall.EINTR {
				return true // never wait
			}
		}
	})
	switch {
	case cerr != nil:
		return 0, cerr
	case err == syscall.EAGAIN:
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("write", err)
	}
	return n, nil
}
