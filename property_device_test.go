package usercast

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync/atomic"
	"testing/synctest"
	"time"
)

// An actor is a device that does what the schedule says.
type actor struct {
	deviceLog
	w       *world
	sock    *fakeSocket
	frames  chan frameIn // since the last look
	ended   chan struct{}
	goneAt  atomic.Int64 // one more than when the hub noticed; 0: it has not
	open    bool         // the model counts the connection
	stalled bool
	old     []testimony // cursors of earlier times
}

// claim chooses what the device says of where it stopped.
func (d *actor) claim() (mine, all testimony, query string) {
	w := d.w
	if !d.known {
		return mine, all, ""
	}
	mine = testimony{true, true, d.mine.cursor, d.epoch}
	all = testimony{true, true, d.all.cursor, d.epoch}
	d.old = append(d.old, mine)
	withAll := true
	switch w.rng.IntN(12) {
	case 0:
		return testimony{}, testimony{}, "" // forgets all
	case 1: // an old one
		mine = d.old[w.rng.IntN(len(d.old))]
		all.epoch = mine.epoch
	case 2: // another user's
		other := w.devices[w.rng.IntN(len(w.devices))]
		mine.ts, withAll = other.mine.cursor, false
	case 3: // from the future
		mine.ts += Timestamp(w.rng.Int64N(1e12))
	case 4: // any time at all
		mine.ts = Timestamp(w.rng.Int64N(int64(maxTimestamp)))
	case 5: // a little off
		mine.ts += Timestamp(w.rng.IntN(5) - 2)
	case 6:
		mine.epoch, all.epoch = "feedfacefeedface", "feedfacefeedface"
	case 7: // no cursor for everyone's log
		withAll = false
	}
	text := mine.ts.String()
	if w.rng.IntN(15) == 0 {
		mine.valid = false
		text = []string{"-1", "NaN", "1e400", "x", "2026-13-01T00:00:00Z"}[w.rng.IntN(5)]
	}
	query = "&epoch=" + mine.epoch + "&lastEventTs=" + url.QueryEscape(text)
	if withAll {
		query += "&lastGlobalTs=" + url.QueryEscape(all.ts.String())
		all.epoch = mine.epoch
	} else if all = mine; all.valid {
		all.ts = min(all.ts, w.all.last)
	}
	return mine, all, query
}

// connect opens a connection and reads in the background; the schedule goes on
// when the hub has registered it.
//
// If racing, events are broadcast to the user meanwhile, and the verdict may be
// that of before or of after.
func (d *actor) connect(racing bool) {
	w := d.w
	w.tick()
	mine, all, query := d.claim()
	d.connecting(mine, all, w.site.hub.epoch, w.now())
	d.goneAt.Store(0)
	var facts []fact
	raced := make(chan struct{})
	if racing {
		d.racing = true
		_, e, f := w.draw()
		e.Payload.(map[string]string)["user"] = d.user
		go func() {
			defer close(raced)
			for range 4 {
				f.ts, _ = w.send(d.user, e)
				facts = append(facts, f)
				time.Sleep(300 * time.Microsecond)
			}
		}()
	}
	dev, err := w.site.open("user="+d.user+"&device="+d.id+query, v1Header)
	if err != nil || dev.resp.StatusCode != 101 {
		w.fail("%s: handshake: %v", d.id, err)
		return
	}
	if racing {
		<-raced
		w.logs[d.user].conns++ // registered before some of them
		for _, f := range facts {
			w.record(d.user, f)
		}
		w.logs[d.user].conns--
		d.connectingToo()
	}
	d.sock = dev.c.(*fakeSocket)
	d.stalled = false
	d.frames, d.ended = make(chan frameIn, 1<<14), make(chan struct{})
	w.logs[d.user].conns++
	d.open = true
	go func(frames chan<- frameIn, ended chan<- struct{}) {
		defer close(ended)
		for {
			f, err := dev.next()
			if err != nil {
				dev.c.Close()
				if c := (*errClosed)(nil); err != nil && !errors.As(err, &c) && !isNetErr(err) {
					w.fail("%s: %v", d.id, err)
				}
				return
			}
			frames <- f
		}
	}(d.frames, d.ended)
	synctest.Wait()
}

// isNetErr tells a broken line from a broken frame.
func isNetErr(err error) bool {
	var s *json.SyntaxError
	return !errors.As(err, &s) && !strings.Contains(err.Error(), "header")
}

func (d *actor) stall(on bool) {
	if d.sock != nil {
		d.stalled = on
		d.sock.stall(on)
	}
}

// cut drops the line and looks at what has arrived.
func (d *actor) cut() {
	if d.sock == nil {
		return
	}
	d.stall(false)
	d.sock.reset()
	<-d.ended
	d.w.settle()
}

// reap tells the model of a connection that the hub has found to be over.
func (d *actor) reap() {
	if at := d.goneAt.Load(); at != 0 && d.open {
		m := d.w.logs[d.user]
		d.open = false
		m.conns--
		m.active = max(m.active, time.Duration(at-1))
	}
}

// over says whether the device knows that its connection has ended.
func (d *actor) over() bool {
	select {
	case <-d.ended:
		return true
	default:
		return false
	}
}

// look judges what has arrived since the last look.
func (d *actor) look() {
	if d.sock == nil {
		return
	}
	ended := d.over()
	for len(d.frames) > 0 {
		f := <-d.frames
		d.w.log("%s sees %.100s", d.id, f.Raw)
		if err := d.see(f); err != nil {
			d.w.fail("%s: %v", d.id, err)
		}
	}
	switch {
	case ended:
		d.sock = nil
	case !d.stalled:
		if err := d.atRest(); err != nil {
			d.w.fail("%s: %v", d.id, err)
		}
	}
}
