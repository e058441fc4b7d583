package usercast

// The oracle knows what was broadcast and says what a client may have seen. It
// shares no code with the hub: logs are plain slices, searched from end to end.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sort"
	"time"
)

// A fact is one accepted event.
type fact struct {
	ts     Timestamp
	at     time.Duration
	class  Class
	key    string
	except string
	nonce  string
}

// A model is one user's log, or everyone's.
type model struct {
	size  int
	ttl   time.Duration
	facts []fact // all of them, in order
	ring  []fact
	slots map[string]fact

	born, last, floor Timestamp
	// floorHigh is how far the floor may have risen without an eviction of ours,
	// because the hub may have forgotten the user meanwhile.
	floorHigh Timestamp
	conns     int
	active    time.Duration
}

func newModel(size int, ttl time.Duration, born Timestamp) *model {
	return &model{size: size, ttl: ttl, slots: map[string]fact{}, born: born, last: born, floor: born, floorHigh: born}
}

func (m *model) String() string {
	return fmt.Sprintf("(born %v last %v floor %v..%v)", m.born, m.last, m.floor, m.floorHigh)
}

// tick brings the model to now. highest is the last timestamp of any user.
func (m *model) tick(now time.Duration, highest Timestamp) {
	for len(m.ring) > 0 && m.ring[0].at <= now-m.ttl {
		m.floor = m.ring[0].ts
		m.ring = m.ring[1:]
	}
	for k, f := range m.slots {
		if f.at <= now-m.ttl {
			delete(m.slots, k)
		}
	}
	if m.conns == 0 && len(m.ring) == 0 && len(m.slots) == 0 && m.active+m.ttl <= now {
		m.floorHigh = max(m.floorHigh, highest)
	}
	m.floorHigh = max(m.floorHigh, m.floor)
}

// add puts an accepted event into the model. The caller has ticked it.
func (m *model) add(f fact) error {
	if f.ts <= m.last {
		return fmt.Errorf("I11: timestamp %v after %v", f.ts, m.last)
	}
	m.last, m.active = f.ts, f.at
	m.facts = append(m.facts, f)
	switch f.class {
	case Buffered:
		delete(m.slots, f.key)
		if m.ring = append(m.ring, f); len(m.ring) > m.size {
			m.floor = m.ring[0].ts
			m.ring = m.ring[1:]
		}
		m.floorHigh = max(m.floorHigh, m.floor)
	case Latest:
		m.slots[f.key] = f
	}
	return nil
}

// A testimony is what a client says when it connects.
type testimony struct {
	given, valid bool
	ts           Timestamp
	epoch        string
}

// expect says which verdicts are right.
func (m *model) expect(c testimony, epoch string) (verdicts []Verdict) {
	switch {
	case !c.given:
		return []Verdict{Fresh}
	case !c.valid, c.epoch != "" && c.epoch != epoch, c.ts < m.floor:
		return []Verdict{Gap}
	case c.ts > max(m.last, m.floorHigh):
		return []Verdict{Gap}
	case c.ts > m.last, c.ts < m.floorHigh:
		return []Verdict{Gap, Resumed}
	}
	return []Verdict{Resumed}
}

func (m *model) find(ts Timestamp) *fact {
	i := sort.Search(len(m.facts), func(i int) bool { return m.facts[i].ts >= ts })
	if i < len(m.facts) && m.facts[i].ts == ts {
		return &m.facts[i]
	}
	return nil
}

// findValue returns the latest event with a nonce, wherever it stands.
func (m *model) findValue(nonce string) *fact {
	for i := range m.facts {
		if m.facts[i].nonce == nonce && m.facts[i].class == Latest {
			return &m.facts[i]
		}
	}
	return nil
}

// A witness is what one device has seen of one log.
type witness struct {
	log     *model
	cursor  Timestamp // the last timestamp that it received
	owed    Timestamp // buffered events later than this are owed to it
	checked Timestamp // and those up to this were checked
	since   Timestamp // the log's last when the connection was made
	oldest  time.Duration
	values  map[string]fact // the log's latest values when the connection was made
	got     map[Timestamp]bool
	view    map[string]string // the newest value of each key that it was sent
	blind   Timestamp         // it claimed to have seen more than it has, up to here
}

// A deviceLog is a device as the oracle sees it, over all its connections.
type deviceLog struct {
	user, id string
	epoch    string
	mine     witness
	all      witness
	known    bool // it has a cursor
	verdict  []Verdict
	claimed  [2]testimony // of its own log and everyone's

	expectEpoch string
	racing      bool // events were broadcast while it connected
	live        bool
	told        bool // hub.gap was heard on this connection
	replayed    int
}

// connecting prepares for a connection: what must the hub say?
func (d *deviceLog) connecting(mine, all testimony, epoch string, now time.Duration) {
	d.claimed, d.expectEpoch = [2]testimony{mine, all}, epoch
	d.racing, d.live, d.told, d.replayed = false, false, false, 0
	vm, va := d.mine.log.expect(mine, epoch), d.all.log.expect(all, epoch)
	d.verdict = nil
	for _, m := range vm {
		for _, a := range va {
			if a == Gap {
				m = Gap
			}
			d.verdict = append(d.verdict, m)
		}
	}
	for i, w := range []*witness{&d.mine, &d.all} {
		w.since, w.oldest, w.values = w.log.last, now-w.log.ttl, maps.Clone(w.log.slots)
		w.owed, w.checked = maxTimestamp, 0 // until the verdict is known
		if c := []testimony{mine, all}[i]; c.given && c.valid {
			w.owed = c.ts // if resumed
			if c.ts > w.cursor {
				w.blind = max(w.blind, c.ts)
			}
			for ts := range w.got {
				if ts > c.ts {
					delete(w.got, ts) // an older cursor asks for these again
				}
			}
		}
	}
}

// connectingToo widens what connecting expects by what is right now.
func (d *deviceLog) connectingToo() {
	d.verdict = append(d.verdict, d.mine.log.expect(d.claimed[0], d.expectEpoch)...)
	if c := d.claimed[0]; c.given && c.valid && c.ts > d.mine.since {
		d.verdict = append(d.verdict, Resumed) // a place in the future, which came to pass
	}
}

// see judges one frame, in the order of arrival.
func (d *deviceLog) see(f frameIn) error {
	switch f.Type {
	case "hub.hello":
		return d.seeHello(f)
	case "hub.gap":
		d.told = true
		w := d.witness(f.Scope)
		if f.Timestamp < w.cursor {
			return fmt.Errorf("I1: hub.gap at %v after %v", f.Timestamp, w.cursor)
		}
		w.cursor, w.owed, w.checked = f.Timestamp, f.Timestamp, f.Timestamp
		if len(w.log.ring) > 0 && w.log.ring[0].ts <= f.Timestamp {
			return fmt.Errorf("I4: a gap up to %v, which is still there", f.Timestamp)
		}
		return nil
	case "hub.live", "hub.heartbeat":
		if f.Type == "hub.live" {
			if d.live {
				return errors.New("a second hub.live")
			}
			d.live = true
			if d.verdict[0] == Gap && len(d.verdict) == 1 && !d.told {
				return errors.New("no hub.gap before hub.live")
			}
		}
		if f.Timestamp < d.mine.cursor {
			return fmt.Errorf("I1: %s at %v after %v", f.Type, f.Timestamp, d.mine.cursor)
		}
		d.mine.cursor = f.Timestamp
		return d.complete(&d.mine, f.Timestamp)
	case "hub.expiring":
		return nil
	}
	return d.seeEvent(f)
}

func (d *deviceLog) seeHello(f frameIn) error {
	var h helloIn
	if err := json.Unmarshal(f.Payload, &h); err != nil {
		return err
	}
	right := false
	for _, v := range d.verdict {
		right = right || v == h.Verdict
	}
	if !right {
		return fmt.Errorf("I4: verdict %s (%s) for %+v, want %v; mine %v, all %v", h.Verdict, h.Reason, d.claimed, d.verdict, d.mine.log, d.all.log)
	}
	d.verdict = []Verdict{h.Verdict}
	d.epoch, d.known = h.Epoch, true
	d.mine.cursor, d.all.cursor = f.Timestamp, h.GlobalTimestamp
	switch h.Verdict {
	case Resumed:
		if f.Timestamp != d.claimed[0].ts {
			return fmt.Errorf("resumed at %v, claimed %v", f.Timestamp, d.claimed[0].ts)
		}
	case Fresh:
		d.mine.owed, d.all.owed = d.mine.since, min(d.all.owed, d.all.since)
		if d.racing {
			d.mine.owed = f.Timestamp // it says itself where it begins
		}
	case Gap: // what is owed begins with hub.gap; one is told for both logs
		d.mine.owed, d.all.owed = maxTimestamp, d.all.since
	}
	return nil
}

func (d *deviceLog) witness(scope string) *witness {
	if scope == "all" {
		return &d.all
	}
	return &d.mine
}

func (d *deviceLog) seeEvent(f frameIn) error {
	w := d.witness(f.Scope)
	if f.Timestamp <= w.cursor {
		return fmt.Errorf("I1: %s at %v after %v", f.Type, f.Timestamp, w.cursor)
	}
	w.cursor = f.Timestamp
	var p struct{ User, Nonce string }
	json.Unmarshal(f.Payload, &p)
	e := w.log.find(f.Timestamp)
	if f.Class == "latest" && (e == nil || e.nonce != p.Nonce) {
		// A value that is older than what is missing stands in a place of the hub's
		// choosing. Nothing up to there is owed; the timestamp before is adjacent.
		if e = w.log.findValue(p.Nonce); d.verdict[0] == Resumed && !d.told {
			return fmt.Errorf("I2: %s stands in a false place, and there was no gap", f.Raw)
		}
		if err := d.complete(w, f.Timestamp-1); err != nil {
			return err
		}
		if w.owed < f.Timestamp {
			w.owed = f.Timestamp
		}
	}
	want := d.user
	if f.Scope == "all" {
		want = ""
	}
	switch {
	case p.User != want && !(p.User == "*" && want != ""):
		return fmt.Errorf("I6: %s of user %q for a device of %q", f.Type, p.User, d.user)
	case e == nil || e.nonce != p.Nonce:
		return fmt.Errorf("I6: %s is not what was broadcast at %v", f.Raw, f.Timestamp)
	case e.except == d.id:
		return fmt.Errorf("an echo to its cause: %s", f.Raw)
	case e.class == Transient && e.ts <= w.since:
		return fmt.Errorf("I5: a transient of before the connection: %s", f.Raw)
	case e.class == Buffered && e.ts <= w.since && d.verdict[0] == Fresh && !(f.Scope == "all" && w.owed < w.since):
		return fmt.Errorf("a fresh connection got the past: %s", f.Raw)
	case e.class == Latest && e.ts <= w.since && !d.racing && w.values[e.key].nonce != e.nonce:
		return fmt.Errorf("a latest value that was none any more: %s", f.Raw)
	case e.ts <= w.since && e.at <= w.oldest:
		return fmt.Errorf("I7: replayed after its TTL: %s", f.Raw)
	}
	if e.class == Buffered && e.ts <= w.since {
		if d.replayed++; d.replayed > 2*w.log.size {
			return fmt.Errorf("I7: more than %d replayed from a log", w.log.size)
		}
	}
	if e.key != "" {
		if e.class == Latest {
			w.view[e.key] = e.nonce
		} else {
			delete(w.view, e.key)
		}
	}
	w.got[e.ts] = true
	return d.complete(w, f.Timestamp)
}

// complete checks that nothing owed up to ts is missing.
func (d *deviceLog) complete(w *witness, ts Timestamp) error {
	from := max(w.owed, w.checked)
	i := sort.Search(len(w.log.facts), func(i int) bool { return w.log.facts[i].ts > from })
	for ; i < len(w.log.facts) && w.log.facts[i].ts <= ts; i++ {
		e := &w.log.facts[i]
		if e.class == Buffered && e.except != d.id && !w.got[e.ts] {
			return fmt.Errorf("I2: %s at %v was lost without a word (now at %v, owed from %v)", e.nonce, e.ts, ts, w.owed)
		}
	}
	if w.owed <= ts {
		w.checked = max(w.checked, ts)
	}
	return nil
}

// atRest checks a device that is connected and has been left alone.
func (d *deviceLog) atRest() error {
	if !d.live {
		return errors.New("I3: no hub.live")
	}
	for _, w := range []*witness{&d.mine, &d.all} {
		if err := d.complete(w, maxTimestamp-1); err != nil {
			return fmt.Errorf("I3: at rest: %w", err)
		}
		w.checked = min(w.checked, w.log.last)
		for key, f := range w.log.slots {
			if f.except != d.id && f.ts > w.blind && w.view[key] != f.nonce {
				return fmt.Errorf("the latest value of %s is %s, the device shows %q", key, f.nonce, w.view[key])
			}
		}
	}
	return nil
}
