// Package wsframe reads and writes WebSocket frames (RFC 6455, section 5) by hand: a load generator that shares its
// machine with the server under test must be much cheaper than that server.
package wsframe

import (
	"encoding/binary"
	"errors"
)

// The opcodes that a device meets.
const (
	Text  = 0x1
	Close = 0x8
	Ping  = 0x9
	Pong  = 0xA
)

// Errors of a server that does what none of the contenders has reason to do.
var (
	ErrMasked     = errors.New("wsframe: a server must not mask")
	ErrFragmented = errors.New("wsframe: fragmented message")
	ErrTooLong    = errors.New("wsframe: frame above 16 MiB")
)

const maxPayload = 16 << 20

// Parser cuts a server's byte stream into frames. The zero value is ready to use. Not safe for concurrent use.
type Parser struct {
	rest []byte // of a frame that has not arrived completely
}

// Feed takes the next bytes of the stream and calls frame for each frame that they complete. The payload is valid only
// during the call; usually it is a part of data, without a copy.
func (p *Parser) Feed(data []byte, frame func(opcode byte, payload []byte)) error {
	if len(p.rest) > 0 {
		p.rest = append(p.rest, data...)
		data = p.rest
	}
	for {
		opcode, payload, size, err := cut(data)
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		frame(opcode, payload)
		data = data[size:]
	}
	p.keep(data)
	return nil
}

// keep stores the unfinished frame. An idle device must not hold a buffer, so an empty rest is none.
func (p *Parser) keep(data []byte) {
	if len(data) == 0 {
		p.rest = nil
		return
	}
	p.rest = append([]byte(nil), data...)
}

// cut returns the first frame of data and its whole size, or size 0 if it is not complete.
func cut(data []byte) (opcode byte, payload []byte, size int, err error) {
	if len(data) < 2 {
		return 0, nil, 0, nil
	}
	if data[1]&0x80 != 0 {
		return 0, nil, 0, ErrMasked
	}
	opcode = data[0] & 0x0F
	if data[0]&0x80 == 0 || opcode == 0 {
		return 0, nil, 0, ErrFragmented
	}
	head, length := 2, uint64(data[1]&0x7F)
	switch length {
	case 126:
		if head = 4; len(data) < head {
			return 0, nil, 0, nil
		}
		length = uint64(binary.BigEndian.Uint16(data[2:]))
	case 127:
		if head = 10; len(data) < head {
			return 0, nil, 0, nil
		}
		length = binary.BigEndian.Uint64(data[2:])
	}
	if length > maxPayload {
		return 0, nil, 0, ErrTooLong
	}
	size = head + int(length)
	if len(data) < size {
		return 0, nil, 0, nil
	}
	return opcode, data[head:size], size, nil
}

// Append appends a client's frame with a payload of less than 64 KiB. Its masking key is zero, which the RFC's
// arithmetic allows and which leaves the payload as it is.
func Append(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	if len(payload) < 126 {
		dst = append(dst, 0x80|byte(len(payload)))
	} else {
		dst = append(dst, 0x80|126, byte(len(payload)>>8), byte(len(payload)))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}
