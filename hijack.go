package usercast

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strings"
)

// A hijackWriter hands coder/websocket our wire in place of the server's
// connection, and small buffers in place of the server's: with these an idle
// connection costs a third.
type hijackWriter struct {
	http.ResponseWriter
	hub    *Hub
	wire   *wire
	status int
	text   []byte
}

// hijackable says whether the server's connection can be had through whatever
// middleware has wrapped around w. Trying would be too late to say no by HTTP.
func hijackable(w http.ResponseWriter) bool {
	for {
		switch v := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = v.Unwrap()
		default:
			return false
		}
	}
}

const handshakeBuffer = 256 // a control frame fits, and so is written at once

// Hijack implements [http.Hijacker].
func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := rw.Writer.Flush(); err != nil {
		c.Close()
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	w.wire = newWire(c, append([]byte(nil), early...), w.hub.writeTimeout, w.hub.clock)
	return w.wire, bufio.NewReadWriter(
		bufio.NewReaderSize(w.wire, handshakeBuffer), bufio.NewWriterSize(w.wire, handshakeBuffer)), nil
}

// WriteHeader keeps the library's plain-text errors from the client: refuse says
// the same in JSON.
func (w *hijackWriter) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.status = status
}

// WriteHeaderNow is what frameworks that delay headers need (gin).
func (w *hijackWriter) WriteHeaderNow() {
	if now, ok := w.ResponseWriter.(interface{ WriteHeaderNow() }); ok {
		now.WriteHeaderNow()
	}
}

func (w *hijackWriter) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	return len(p), nil
}

// problem says what was wrong with the upgrade.
func (w *hijackWriter) problem(err error) error {
	if w.status >= 400 && w.status < 500 && len(w.text) > 0 {
		return errors.New(clip(strings.TrimPrefix(strings.TrimSpace(string(w.text)), "WebSocket protocol violation: ")))
	}
	w.hub.logger.Error("usercast: upgrade failed", "error", clip(err.Error()))
	return errors.New("upgrade failed")
}
