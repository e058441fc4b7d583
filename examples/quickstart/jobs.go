package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/usercast-go/usercast"
)

// startJob begins something that takes longer than a request may.
func (a *app) startJob(w http.ResponseWriter, r *http.Request, user string) {
	j, err := a.jobs.start(user, "export")
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusAccepted, j)
	a.broadcast(user, usercast.Event{
		Type:    "JOB_STARTED",
		Key:     jobKey(j.ID),
		Payload: jobStarted{j.ID, j.Type, "orders", "All orders"},
		Except:  deviceOf(r),
	})
	// Not the request's context: that one ends now.
	go a.runJob(a.jobs.ctx, user, j, export)
}

// jobKey names a job in events. A JOB_PROGRESS with a Key is kept as the newest
// value of that Key, so a device that comes back in the middle sees at once where
// the bar is; the JOB_COMPLETED with the same Key takes its place.
func jobKey(id string) string { return "job:" + id }

type (
	jobStarted struct {
		JobID      string `json:"jobId"`
		Type       string `json:"type"`
		EntityID   string `json:"entityId"`
		EntityName string `json:"entityName"`
	}
	jobProgress struct {
		JobID    string `json:"jobId"`
		Type     string `json:"type"`
		Progress int    `json:"progress"` // percent
		Label    string `json:"label"`
	}
	jobCompleted struct {
		JobID  string `json:"jobId"`
		Type   string `json:"type"`
		Result string `json:"result"`
	}
	jobFailed struct {
		JobID string `json:"jobId"`
		Type  string `json:"type"`
		Error string `json:"error"`
	}
	jobCancelled struct {
		JobID string `json:"jobId"`
		Type  string `json:"type"`
	}
)

// work does a job and reports how far it is.
type work func(ctx context.Context, report func(percent int, label string)) (result string, err error)

// runJob surrounds a job with its events. Whatever becomes of the work, there is
// exactly one last event, so no progress bar is left standing.
func (a *app) runJob(ctx context.Context, user string, j job, do work) {
	defer a.jobs.running.Done()
	result, err := a.guarded(ctx, do, func(percent int, label string) {
		a.jobs.progress(user, j.ID, percent, label)
		a.broadcast(user, usercast.Event{
			Type:    "JOB_PROGRESS",
			Key:     jobKey(j.ID),
			Payload: jobProgress{j.ID, j.Type, percent, label},
		})
	})
	last := usercast.Event{Key: jobKey(j.ID)}
	switch {
	case err == nil:
		a.jobs.end(user, j.ID, jobIsCompleted, result)
		last.Type, last.Payload = "JOB_COMPLETED", jobCompleted{j.ID, j.Type, result}
	case errors.Is(err, context.Canceled):
		a.jobs.end(user, j.ID, jobIsCancelled, "cancelled")
		last.Type, last.Payload = "JOB_CANCELLED", jobCancelled{j.ID, j.Type}
	default:
		a.log.Error("job failed", "job", j.ID, "user", user, "error", err)
		a.jobs.end(user, j.ID, jobIsFailed, "failed")
		last.Type, last.Payload = "JOB_FAILED", jobFailed{j.ID, j.Type, "internal error"}
	}
	a.broadcast(user, last)
}

// guarded turns a panic in the work into an error: in a goroutine of our own it
// would end the process.
func (a *app) guarded(ctx context.Context, do work, report func(int, string)) (result string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do(ctx, report)
}

// How the example's only work passes its ten seconds.
const (
	exportSteps = 50
	exportStep  = 200 * time.Millisecond
)

// export stands for real work.
func export(ctx context.Context, report func(int, string)) (string, error) {
	ticker := time.NewTicker(exportStep)
	defer ticker.Stop()
	for step := range exportSteps {
		report(100*step/exportSteps, fmt.Sprintf("Step %d of %d", step+1, exportSteps))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return fmt.Sprintf("%d steps done", exportSteps), nil
}

const (
	jobIsRunning   = "running"
	jobIsCompleted = "completed"
	jobIsFailed    = "failed"
	jobIsCancelled = "cancelled"

	maxUserJobs  = 5 // running; and as many that have ended are remembered
	maxEndedJobs = 5
)

// A job is one row.
type job struct {
	ID       string `json:"jobId"`
	Type     string `json:"type"`
	Status   string `json:"status"`
	Progress int    `json:"progress"`
	Label    string `json:"label"`
}

// jobs keeps the jobs that run and the last that ended. It is safe for concurrent use.
type jobs struct {
	ctx     context.Context // what jobs run under; cancelled by stop
	cancel  context.CancelFunc
	running sync.WaitGroup // counted up by start, down by runJob

	mu      sync.Mutex
	stopped bool
	users   map[string][]job // oldest first
}

func newJobs() *jobs {
	s := &jobs{users: make(map[string][]job)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// start adds a job, which the caller then runs.
func (s *jobs) start(user, kind string) (job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows, known := s.users[user]
	switch {
	case s.stopped:
		return job{}, &problem{http.StatusServiceUnavailable, "the server is stopping", ""}
	case count(rows, true) >= maxUserJobs:
		return job{}, &problem{http.StatusTooManyRequests, fmt.Sprintf("jobs: at most %d at a time; wait for one to end", maxUserJobs), ""}
	case !known && len(s.users) >= maxUsers:
		return job{}, &problem{http.StatusServiceUnavailable, "users: more than this example keeps", ""}
	}
	j := job{ID: rand.Text(), Type: kind, Status: jobIsRunning}
	s.users[user] = append(rows, j)
	s.running.Add(1)
	return j, nil
}

func (s *jobs) progress(user, id string, percent int, label string) {
	s.change(user, id, func(j *job) { j.Progress, j.Label = percent, label })
}

func (s *jobs) end(user, id, status, label string) {
	s.change(user, id, func(j *job) {
		j.Status, j.Label = status, label
		if status == jobIsCompleted {
			j.Progress = 100
		}
	})
}

func (s *jobs) change(user, id string, fn func(*job)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := s.users[user]
	if i := slices.IndexFunc(rows, func(j job) bool { return j.ID == id }); i >= 0 {
		fn(&rows[i])
	}
	for count(rows, false) > maxEndedJobs {
		i := slices.IndexFunc(rows, func(j job) bool { return j.Status != jobIsRunning })
		rows = slices.Delete(rows, i, i+1)
	}
	s.users[user] = rows
}

// count counts the jobs that run, or those that have ended.
func count(rows []job, running bool) (n int) {
	for _, j := range rows {
		if (j.Status == jobIsRunning) == running {
			n++
		}
	}
	return n
}

// list returns a copy of the user's jobs.
func (s *jobs) list(user string) []job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]job{}, s.users[user]...)
}

// stop cancels all jobs and waits until each has sent its last event.
func (s *jobs) stop() {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
}
