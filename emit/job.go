package emit

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/usercast-go/usercast"
)

// Errors that callers can tell apart with [errors.Is].
var (
	// ErrInvalidJob means a [Job] that cannot be told of; the text names the field.
	// Nothing was run and nothing sent.
	ErrInvalidJob = errors.New("emit: invalid job")
	// ErrJobRunning means that this runner is running a job of that user and ID.
	// Nothing was run and nothing sent.
	ErrJobRunning = errors.New("emit: the job is running")
	// ErrJobCancelled is wrapped by the error of a job that was cancelled. A function
	// that finds out by itself that it is to stop returns an error that wraps it.
	ErrJobCancelled = errors.New("emit: job cancelled")
	// ErrJobPreempted is the cause by which to cancel a job's context to make room
	// for another. Devices hear the reason "preempted". See [JobRunner.Requeue].
	ErrJobPreempted = errors.New("emit: job preempted")
)

const (
	maxJobAttempts = 1000
	maxJobIDBytes  = usercast.MaxKeyBytes - len("job:")
)

// A Job names what a [JobRunner] tells of. It is a plain value.
type Job struct {
	// ID names the job in its events and in their key: 1 to 252 bytes of UTF-8.
	ID string
	// UserID is whose devices hear of it.
	UserID string
	// Type says what kind of job it is: 1 to 128 bytes of UTF-8.
	Type string
	// EntityID and EntityName say what it works on, if anything. More than 1 KiB
	// of each is cut.
	EntityID   string
	EntityName string
	// Except is the device that asked for the job and has its answer: it hears no
	// JOB_QUEUED, or no JOB_STARTED of the first attempt, whichever is sent with it. Leave
	// it empty when a job runs that was queued.
	Except string
}

// JobConfig says how a [JobRunner] runs and tells. The zero value of every field
// but Events and To is usable.
type JobConfig struct {
	// Events are the types of event. Required; [DefineJobs] makes them.
	Events JobEvents
	// To takes the events, in order with those of transactions and requests: see
	// [InOrder]. Required. It must not block: the job waits for it.
	To usercast.Broadcaster
	// Before is called with every event before it is sent, once, to write down what it
	// tells: whoever hears of it and asks then finds it. The events of a Run come one at
	// a time and in order, those of several jobs at once; the payloads are this package's
	// Job… structs. The job waits for it. A panic in it is logged, and the event sent.
	// Queue calls it at once, whatever becomes of the outbox that it is given.
	Before func(Job, usercast.Event)
	// MaxAttempts is how often a function is called until it returns no error.
	// 0: 1; at most 1,000.
	MaxAttempts int
	// Backoff returns how long to wait after an attempt that failed, 1 for the
	// first. nil: 1 second, doubling to 1 minute.
	Backoff func(attempt int) time.Duration
	// Retryable says whether another attempt may help. nil: always. An error of a
	// panic wraps [usercast.ErrPanic].
	Retryable func(error) bool
	// PublicError returns what devices are shown of an error: error texts may name
	// tables, hosts and other users. nil: [PublicText]. More than 1 KiB is cut.
	PublicError func(error) string
	// Progress says how often progress is told.
	Progress ProgressConfig
	// Logger hears of jobs that failed and events that could not be sent. nil: slog.Default.
	Logger *slog.Logger
}

// A JobRunner runs functions as jobs and tells the user's devices of them: queued,
// started, progress, and at the end exactly one of completed, failed and cancelled,
// whatever becomes of the function. See [JobRunner.Run].
//
// An event that cannot be sent is logged, counted, and changes nothing else. All
// methods are safe for concurrent use. A runner has no goroutine of its own, and
// nothing to close: to shut down, cancel the contexts, wait until every Run has
// returned, and then shut down the hub, which still delivers their last events.
type JobRunner struct {
	cfg      JobConfig
	ended    [3]atomic.Uint64 // by jobStatus
	retries  atomic.Uint64
	requeued atomic.Uint64
	unsent   atomic.Uint64

	mu      sync.Mutex
	running map[jobName]struct{}
}

// A jobName tells jobs apart. IDs of two users may be the same.
type jobName struct{ user, id string }

// NewJobRunner makes a runner. Errors wrap [usercast.ErrInvalidConfig] and name the field.
func NewJobRunner(cfg JobConfig) (*JobRunner, error) {
	if err := cfg.Events.check(); err != nil {
		return nil, err
	}
	if cfg.To == nil {
		return nil, configError("JobConfig.To", "missing; a hub takes events")
	}
	if cfg.MaxAttempts == 0 {
		cfg.MaxAttempts = 1
	}
	if cfg.MaxAttempts < 0 || cfg.MaxAttempts > maxJobAttempts {
		return nil, configError("JobConfig.MaxAttempts", "%d, want 1 to %d, or 0 for 1", cfg.MaxAttempts, maxJobAttempts)
	}
	if err := cfg.Progress.check(); err != nil {
		return nil, err
	}
	if cfg.Backoff == nil {
		cfg.Backoff = defaultBackoff
	}
	if cfg.Retryable == nil {
		cfg.Retryable = func(error) bool { return true }
	}
	if cfg.PublicError == nil {
		cfg.PublicError = PublicText
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Progress.Logger == nil {
		cfg.Progress.Logger = cfg.Logger
	}
	cfg.To = ordered(cfg.To, cfg.Logger)
	return &JobRunner{cfg: cfg, running: make(map[jobName]struct{})}, nil
}

func configError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", usercast.ErrInvalidConfig, field, fmt.Sprintf(format, args...))
}

// Stats returns the runner's counters.
func (r *JobRunner) Stats() JobStats {
	r.mu.Lock()
	running := len(r.running)
	r.mu.Unlock()
	return JobStats{
		Running:   running,
		Completed: r.ended[jobCompleted].Load(),
		Failed:    r.ended[jobFailed].Load(),
		Cancelled: r.ended[jobCancelled].Load(),
		Retries:   r.retries.Load(),
		Requeued:  r.requeued.Load(),
		Unsent:    r.unsent.Load(),
	}
}

// claim makes a job this caller's until release, so that two cannot both send its end.
func (r *JobRunner) claim(job Job) error {
	if err := job.check(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.running[job.name()]; ok {
		return fmt.Errorf("%w: %q of user %q", ErrJobRunning, job.ID, job.UserID)
	}
	r.running[job.name()] = struct{}{}
	return nil
}

func (r *JobRunner) release(job Job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, job.name())
}

func (r *JobRunner) isRunning(job Job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.running[job.name()]
	return ok
}

func (j Job) name() jobName { return jobName{j.UserID, j.ID} }

// check says which field no event can carry.
func (j Job) check() error {
	for _, f := range []struct {
		name, value string
		limit       int
	}{
		{"ID", j.ID, maxJobIDBytes},
		{"UserID", j.UserID, usercast.MaxUserIDBytes},
		{"Type", j.Type, usercast.MaxTypeBytes},
	} {
		switch {
		case f.value == "" || len(f.value) > f.limit:
			return fmt.Errorf("%w: %s: %d bytes, want 1 to %d", ErrInvalidJob, f.name, len(f.value), f.limit)
		case !utf8.ValidString(f.value):
			return fmt.Errorf("%w: %s: it is not UTF-8", ErrInvalidJob, f.name)
		}
	}
	if len(j.Except) > usercast.MaxDeviceBytes {
		return fmt.Errorf("%w: Except: %d bytes, at most %d", ErrInvalidJob, len(j.Except), usercast.MaxDeviceBytes)
	}
	return nil
}

// defaultBackoff is 1 s, 2 s, 4 s … 1 min.
func defaultBackoff(attempt int) time.Duration {
	return min(time.Minute, time.Second<<min(attempt-1, 6))
}

// JobStats are counters of a [JobRunner], since it was made.
type JobStats struct {
	Running   int    // now
	Completed uint64 // jobs that ended so
	Failed    uint64
	Cancelled uint64
	Retries   uint64 // attempts after the first
	Requeued  uint64
	Unsent    uint64 // events that could not be sent, progress too
}
