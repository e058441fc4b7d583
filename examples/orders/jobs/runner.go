package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// Errors that callers can tell apart with [errors.Is]. Those of what a job works on are
// the store's: [store.ErrNotFound], and [store.ErrBusy] if another job works on it.
var (
	// ErrNotFound means that the user has no such job.
	ErrNotFound = errors.New("jobs: not found")
	// ErrEnded means that the job has ended and cannot be cancelled.
	ErrEnded = errors.New("jobs: the job has ended")
	// ErrNotEnded means that the job has not failed and was not cancelled: there is nothing
	// to try again.
	ErrNotEnded = errors.New("jobs: only a job that has failed or was cancelled can be tried again")
	// ErrQueueFull means that as many jobs of the user wait as may.
	ErrQueueFull = errors.New("jobs: the queue is full")
	// ErrInvalid means a [Request] that is none; the text names the field.
	ErrInvalid = errors.New("jobs: invalid request")
	// ErrStarted means that the runner was started before, or stopped.
	ErrStarted = errors.New("jobs: a runner starts once")
)

const (
	maxActive = 100      // jobs of a user that wait or run
	maxBytes  = 16 << 10 // of arguments, and of a result
	maxName   = 1 << 10  // bytes of an entity's ID or name; events would cut more
	maxListed = 50
	maxEnded  = 200 // ended jobs of a user that are kept
	maxLost   = 3   // claims that nobody came back from
	maxChunks = 4   // of syncs that are written at once, far fewer than the store has connections

	defaultTimeout  = time.Minute
	defaultWorkers  = 128 // they wait for the ERP nearly all of their time
	maxWorkers      = 1000
	defaultAttempts = 3
)

// Config says how jobs run. The zero value of every field but Store, Hub and ERP is usable.
type Config struct {
	// Store is where the jobs are. Required, with the tables that [Migrate] makes.
	Store *store.Store
	// Hub takes the events. Required.
	Hub usercast.Broadcaster
	// ERP is what the jobs work with. Required.
	ERP *erp.Client
	// Timeout is how long one call of the ERP may take, with all its tries: an ERP that does
	// not answer is JOB_FAILED with "timed out" after that long. A whole job may take ten
	// times as long. 0: 1 minute.
	Timeout time.Duration
	// Workers is how many jobs run at once, those that wait for an ERP that does not
	// answer among them. 0: 128; at most 1,000.
	Workers int
	// Backoff returns the pause after an attempt that failed, 1 for the first. nil: half
	// a second, doubling.
	Backoff func(attempt int) time.Duration
	// Logger hears of what went wrong. nil: slog.Default.
	Logger *slog.Logger

	kinds map[string]kind // of tests. nil: those of this package
	pace  pace            // of tests
}

// pace is how fast things happen. Tests have less time.
type pace struct {
	lease, tick time.Duration // 0: 5 s, 1 s
	pause       time.Duration // between a turn and its claim, for tests. 0: none
	end         time.Duration // 0: 15 s
}

func (p pace) orDefault() pace {
	for _, f := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&p.lease, 5 * time.Second}, {&p.tick, time.Second}, {&p.end, 15 * time.Second}} {
		if *f.value == 0 {
			*f.value = f.def
		}
	}
	return p
}

// A Runner has a queue and runs it. Several, in one process or many, may run the same
// queue. All methods are safe for concurrent use.
type Runner struct {
	cfg   Config
	pace  pace
	name  string // who claims
	clock string // the database's
	turns *turns
	hub   usercast.Broadcaster // in order: a job may be taken before the request that queued it is over
	tell  *emit.JobRunner

	chunks chan struct{} // one for each chunk of a sync that is being written

	mu       sync.Mutex
	started  bool
	stopping bool
	live     map[string]*run // by job ID

	ctx    context.Context // of everything but requests; ends with Stop
	cancel context.CancelFunc
	ticks  sync.WaitGroup
}

// New makes a runner, which can enqueue, cancel and list at once, and runs jobs from Start
// on. Errors name the field.
func New(cfg Config) (*Runner, error) {
	switch {
	case cfg.Store == nil:
		return nil, errors.New("jobs: Config.Store: missing; store.Open makes one")
	case cfg.Hub == nil:
		return nil, errors.New("jobs: Config.Hub: missing; a usercast.Hub takes events")
	case cfg.ERP == nil:
		return nil, errors.New("jobs: Config.ERP: missing; erp.NewClient makes one")
	case cfg.Timeout < 0:
		return nil, fmt.Errorf("jobs: Config.Timeout: %v, want a positive duration, or 0 for %v", cfg.Timeout, defaultTimeout)
	case cfg.Workers < 0 || cfg.Workers > maxWorkers:
		return nil, fmt.Errorf("jobs: Config.Workers: %d, want 1 to %d, or 0 for %d", cfg.Workers, maxWorkers, defaultWorkers)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.Workers == 0 {
		cfg.Workers = defaultWorkers
	}
	if cfg.Backoff == nil {
		cfg.Backoff = func(attempt int) time.Duration { return 500 * time.Millisecond << (attempt - 1) }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.kinds == nil {
		cfg.kinds = kinds
	}
	r := &Runner{cfg: cfg, hub: emit.InOrder(cfg.Hub), pace: cfg.pace.orDefault(), name: store.NewID(), clock: clock(cfg.Store.Dialect),
		chunks: make(chan struct{}, maxChunks), live: make(map[string]*run)}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	var err error
	if r.turns, err = newTurns(cfg.Store, cfg.Workers, quiet(cfg.Logger), r.take); err != nil {
		return nil, err
	}
	r.tell, err = emit.NewJobRunner(emit.JobConfig{
		Events:      events.Jobs,
		To:          gate{r},
		Before:      r.writeDown,
		MaxAttempts: defaultAttempts,
		Backoff:     cfg.Backoff,
		Retryable:   retryable,
		Logger:      cfg.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return r, nil
}

// quiet keeps what River says at level Info, which is its own statistics, out of the log.
func quiet(logger *slog.Logger) *slog.Logger { return slog.New(warnings{logger.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}
func (w warnings) WithAttrs(a []slog.Attr) slog.Handler { return warnings{w.Handler.WithAttrs(a)} }
func (w warnings) WithGroup(name string) slog.Handler   { return warnings{w.Handler.WithGroup(name)} }

// retryable says whether another attempt may help. An ERP that does not answer has had
// its time, and what it refuses it refuses.
func retryable(err error) bool {
	for _, final := range []error{erp.ErrRefused, context.DeadlineExceeded, store.ErrNotFound, store.ErrBusy, errArgs} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// Start begins to run jobs, those that were queued before and those whose runner has died
// too. It runs on when ctx ends: call Stop. A runner starts once.
func (r *Runner) Start(ctx context.Context) error {
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.turns.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	r.ticks.Go(func() { r.every(r.renew) })
	r.ticks.Go(func() { r.every(r.revive) }) // by itself: nothing must keep the other one waiting
	return nil
}

func (r *Runner) begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.stopping {
		return ErrStarted
	}
	r.started = true
	return nil
}

// Stop stops running jobs: those that run are given back to the queue, where the next
// runner takes them. It waits for that until ctx ends; what has not been given back then
// is found by its lease. Shut the hub down afterwards.
func (r *Runner) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopping = true
	for _, run := range r.live {
		run.cancel(errStopping)
	}
	r.mu.Unlock()
	err := r.turns.Stop(ctx)
	r.cancel()
	r.ticks.Wait()
	if err != nil {
		return fmt.Errorf("jobs: stop: %w", err)
	}
	return nil
}
