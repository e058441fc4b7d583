package load

import (
	"fmt"

	"github.com/usercast-go/usercast/bench/internal/mono"
	"github.com/usercast-go/usercast/bench/internal/wsframe"
	"golang.org/x/sys/unix"
)

// perSource is how many connections share one source address: below the usual range of 28,000 ephemeral ports.
const perSource = 20_000

// deafBuffer is the receive buffer of a deaf device, small so that the server soon notices.
const deafBuffer = 4 << 10

// The key is a constant: nothing here depends on the server's proof that it has read it.
const handshake = "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// dial opens the device's connection and sends the handshake. On loopback both are done at once.
func (f *Fleet) dial(index int) error {
	d := f.devices[index]
	fd, err := connect(f.port, byte(1+index/perSource), d.role == Deaf)
	if err != nil {
		return err
	}
	d.fd, d.state, d.dialed = fd, upgrading, mono.Now()
	d.response, d.frames = nil, wsframe.Parser{}
	if _, err := unix.Write(fd, fmt.Appendf(nil, handshake, f.dialect.Target(d.id), f.port)); err != nil {
		unix.Close(fd)
		d.state = offline
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(index)})
}

// connect returns a connected socket from 127.0.0.<source>.
func connect(port int, source byte, smallBuffer bool) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	set := func(level, option, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, option, value)
		}
	}
	// The port is chosen at connect, when the kernel knows the whole four-tuple and can reuse local ports.
	set(unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	set(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if smallBuffer {
		set(unix.SOL_SOCKET, unix.SO_RCVBUF, deafBuffer)
	}
	if err != nil {
		return fd, err
	}
	// Leaving with a reset leaves no TIME_WAIT behind, of which tens of thousands would starve the next contender.
	if err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return fd, err
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, source}}); err != nil {
		return fd, err
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	return fd, err
}
