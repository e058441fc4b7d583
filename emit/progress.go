package emit

import (
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/usercast-go/usercast"
)

const (
	defaultEveryRecords = 10
	defaultEveryPercent = 10
	defaultPerSecond    = 5
	maxPerSecond        = 1000
	maxLabelBytes       = 256
)

// A Snapshot is how far something has got.
type Snapshot struct {
	// Processed never falls.
	Processed int
	// Total is 0 while it is unknown.
	Total int
	// Percent is 0 to 100 and never falls, whatever becomes of Total. It is 100
	// after Done only, and 0 until then while Total is unknown.
	Percent int
	// Label says what is being done, in at most 256 bytes of UTF-8.
	Label string
	// ETA is how much longer it takes, in whole seconds, if the rest goes as fast
	// as what came before: a moment counts for less the longer ago it is, to 1/e after
	// 15 seconds or a quarter of all the time so far, whichever is longer. 0: unknown,
	// which it is in the first second, without a Total, beyond a week and at the end.
	ETA time.Duration
	// Done is true of the last one, by Progress.Done.
	Done bool
}

// ProgressConfig says how often progress is told. Its zero value is usable.
type ProgressConfig struct {
	// EveryRecords and EveryPercent: progress is told when that many records or
	// percent have come since it was told last, whichever is first. 0: 10. Negative:
	// never for that reason. The first value is told at once, and so is a new label.
	EveryRecords int
	EveryPercent int
	// PerSecond bounds how often, whatever the reason: the newest value waits until
	// 1/PerSecond has passed. 0: 5; at most 1,000. The last value does not wait.
	PerSecond int
	// Logger hears of events that could not be sent. nil: slog.Default.
	Logger *slog.Logger
}

// Progress tells a user's devices how far something has got: often enough to see it
// move, and seldom enough to cost nothing. The work counts, by Add, Set or Report;
// Done is the end.
//
//	p := emit.NewProgress(hub, userID, SyncProgress, func(s emit.Snapshot) Sync {
//		return Sync{Type: "customers", Processed: s.Processed, Total: s.Total, Percent: s.Percent, Label: s.Label}
//	}, emit.ProgressConfig{})
//	defer p.Stop()
//	p.SetTotal(len(records))
//	for _, r := range records {
//		…
//		p.Add(1)
//	}
//	p.Done()
//	SyncCompleted.Broadcast(hub, userID, …) // with the same key: it takes the value's place
//
// The newest value is kept for devices that connect later, so something must follow
// that ends it: a buffered event with the same key.
//
// A value that the rate holds back is sent by a timer, once, unless a newer one or
// the end comes first; there is no other goroutine. Events leave one at a time and
// in order, by whoever counted; others who count meanwhile do not wait for it. What
// cannot be sent is logged, counted, and no error to the work.
//
// All methods are safe for concurrent use, but Done and Stop wait for an event that
// is being sent, so neither payload nor the Broadcaster may call them.
type Progress struct {
	deliver func(Snapshot) error
	event   string // for the log
	user    string
	records int
	percent int
	gap     time.Duration
	logger  *slog.Logger

	mu       sync.Mutex
	now      Snapshot // but for the ETA
	rate     rate
	told     Snapshot // the value sent last
	toldAt   time.Time
	first    bool        // nothing has been sent
	sending  bool        // someone is outside of mu with a value
	timer    *time.Timer // while a value waits
	ended    bool
	finished bool
	idle     *sync.Cond // sending or finished changed
	lost     bool       // the value sent last was not
	failed   uint64
	err      error
}

// NewProgress begins at 0 of an unknown total, and tells nothing yet. event is a
// [usercast.Latest] type of event, from [usercast.DefineKeyed]. payload makes its
// payload; it is called from whatever goroutine counts, one at a time.
//
// Something wrong with the arguments does not keep the work from being done: it is
// logged instead of each event, and Err returns it.
func NewProgress[P any](to usercast.Broadcaster, userID string, event usercast.EventType[P], payload func(Snapshot) P, cfg ProgressConfig) *Progress {
	class, err := classOf(event)
	switch {
	case err != nil:
		err = fmt.Errorf("%w: NewProgress: event: %w", usercast.ErrInvalidConfig, err)
	case class != usercast.Latest:
		err = fmt.Errorf("%w: NewProgress: event: %s is %v, want a latest event: usercast.DefineKeyed makes one", usercast.ErrInvalidConfig, event.Name(), class)
	case payload == nil:
		err = fmt.Errorf("%w: NewProgress: payload: missing; it makes a payload of a Snapshot", usercast.ErrInvalidConfig)
	case to == nil:
		err = fmt.Errorf("%w: NewProgress: to: missing; a hub takes events", usercast.ErrInvalidConfig)
	default:
		err = cfg.check()
	}
	name := ""
	if err == nil {
		name = event.Name()
	}
	return newProgress(name, userID, cfg, func(s Snapshot) error {
		if err != nil {
			return err
		}
		p, err := guarded(name+": the payload of its progress", func() P { return payload(s) })
		if err != nil {
			return err
		}
		return event.Broadcast(to, userID, p)
	})
}

func (cfg ProgressConfig) check() error {
	if cfg.PerSecond < 0 || cfg.PerSecond > maxPerSecond {
		return fmt.Errorf("%w: ProgressConfig.PerSecond: %d, want 1 to %d, or 0 for %d",
			usercast.ErrInvalidConfig, cfg.PerSecond, maxPerSecond, defaultPerSecond)
	}
	return nil
}

// newProgress is NewProgress with a way to send. cfg is usable even if check says no.
func newProgress(event, userID string, cfg ProgressConfig, deliver func(Snapshot) error) *Progress {
	orDefault := func(v, def int) int {
		if v == 0 {
			return def
		}
		return v
	}
	perSecond := orDefault(cfg.PerSecond, defaultPerSecond)
	p := &Progress{
		deliver: deliver,
		event:   event,
		user:    userID,
		records: orDefault(cfg.EveryRecords, defaultEveryRecords),
		percent: orDefault(cfg.EveryPercent, defaultEveryPercent),
		gap:     time.Second / time.Duration(min(max(perSecond, 1), maxPerSecond)),
		logger:  cfg.Logger,
		rate:    newRate(time.Now()),
		first:   true,
	}
	p.idle = sync.NewCond(&p.mu)
	return p
}

// Add counts n records more. Less than one counts for none.
func (p *Progress) Add(n int) {
	p.change(func(s *Snapshot) { s.Processed = addSaturated(s.Processed, n) })
}

// Set says how many records have been processed by now. It counts for nothing if
// that is less than before.
func (p *Progress) Set(processed int) {
	p.change(func(s *Snapshot) { s.Processed = max(s.Processed, processed) })
}

// SetTotal says how many records there are. 0 or less: unknown.
func (p *Progress) SetTotal(total int) {
	p.change(func(s *Snapshot) { s.Total = max(total, 0) })
}

// SetLabel says what is being done. More than 256 bytes of it are cut.
func (p *Progress) SetLabel(label string) {
	p.change(func(s *Snapshot) { s.Label = label })
}

// Report is Set, SetTotal and SetLabel in one: one event tells of all three.
func (p *Progress) Report(processed, total int, label string) {
	p.change(func(s *Snapshot) {
		s.Processed, s.Total, s.Label = max(s.Processed, processed), max(total, 0), label
	})
}

// Done says that everything has been processed: the last value has 100 percent, and
// a total that was unknown is what was processed. It has been sent when Done returns.
// What is counted from here on counts for nothing.
func (p *Progress) Done() { p.finish(true) }

// Stop is the end of what was not done: what was counted and not told yet is
// sent, and nothing follows. After Done, or a second time, it does nothing: defer it.
func (p *Progress) Stop() { p.finish(false) }

// Err returns why an event could not be sent, of the last one that could not, and
// nil if all could.
func (p *Progress) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Unsent returns how many events could not be sent.
func (p *Progress) Unsent() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

func (p *Progress) change(fn func(*Snapshot)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	before := p.now.Processed
	fn(&p.now)
	p.now.Label = shorten(p.now.Label, maxLabelBytes)
	p.now.Percent = max(p.now.Percent, percentOf(p.now.Processed, p.now.Total))
	p.rate.count(p.now.Processed-before, time.Now())
	p.pump()
}

// due says whether the newest value is worth an event.
func (p *Progress) due() bool {
	return p.first || p.now.Label != p.told.Label ||
		p.records > 0 && p.now.Processed-p.told.Processed >= p.records ||
		p.percent > 0 && p.now.Percent-p.told.Percent >= p.percent
}

// pump sends what is due, now or, by a timer, as soon as the rate allows. The caller
// holds mu, which is released while a value is on its way.
func (p *Progress) pump() {
	for !p.sending && !p.ended && p.due() {
		if wait := p.gap - time.Since(p.toldAt); wait > 0 {
			if p.timer == nil {
				p.timer = time.AfterFunc(wait, p.tick)
			}
			return
		}
		p.send()
	}
}

// tick is when a value that waited may go.
func (p *Progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = nil
	p.pump()
}

// send sends the newest value. The caller holds mu, and nobody is sending.
func (p *Progress) send() {
	now := time.Now()
	s := p.now
	if !s.Done {
		s.ETA = p.rate.eta(s.Total-s.Processed, now)
	}
	p.told, p.toldAt, p.first, p.sending = s, now, false, true
	before := p.err
	p.mu.Unlock()
	err := errGoexit // unless deliver returns
	defer func() {
		p.mu.Lock()
		p.sending, p.lost = false, err != nil
		if err != nil {
			p.failed++
			p.err = err
		}
		p.idle.Broadcast()
	}()
	err = flat(guarded("Broadcast", func() error { return p.deliver(s) }))
	if err != nil && (before == nil || before.Error() != err.Error()) { // a hub that is shut down is one line
		logUnsent(p.logger, "emit: progress not sent", p.user, p.event, err, false)
	}
}

func (p *Progress) finish(done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		for !p.finished {
			p.idle.Wait()
		}
		return
	}
	p.ended = true
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	if done {
		p.now.Done, p.now.Percent = true, 100
		if p.now.Total == 0 {
			p.now.Total = p.now.Processed
		}
	}
	for p.sending {
		p.idle.Wait()
	}
	defer func() {
		p.finished = true
		p.idle.Broadcast()
	}()
	last := p.told
	last.ETA = 0 // no news
	if p.now != last || p.lost {
		p.send()
	}
}

// percentOf stays below 100: what is counted is not yet done.
func percentOf(processed, total int) int {
	if total <= 0 {
		return 0
	}
	return int(min(99, float64(processed)*100/float64(total))) // this way 171 of 300 are 57
}

func addSaturated(a, n int) int {
	switch {
	case n <= 0:
		return a
	case a > math.MaxInt-n:
		return math.MaxInt
	default:
		return a + n
	}
}

// shorten makes a text fit for an event: valid UTF-8 of at most limit bytes.
func shorten(s string, limit int) string {
	if len(s) > limit {
		cut := limit
		for cut > limit-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut]
	}
	return strings.ToValidUTF8(s, "?")
}
