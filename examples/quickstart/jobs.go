package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// startJob begins something that takes longer than a request may.
func (a *app) startJob(w http.ResponseWriter, r *http.Request, user string) {
	j, err := a.jobs.start(user, "export")
	if err != nil {
		fail(w, err)
		return
	}
	respond(w, http.StatusAccepted, j)
	// Not the request's context: that one ends now.
	go a.runJob(a.jobs.ctx, emit.Job{
		ID: j.ID, UserID: user, Type: j.Type, EntityID: "orders", EntityName: "All orders", Except: deviceOf(r),
	}, export)
}

// work does a job and reports how far it is.
type work = func(ctx context.Context, p *emit.Progress) (result any, err error)

// runJob runs a job. The runner surrounds it with its events: whatever becomes of the
// work, there is exactly one last event, so no progress bar is left standing. A
// JOB_PROGRESS is kept as the newest value of its job, so a device that comes back in the
// middle sees at once where the bar is; the JOB_COMPLETED takes its place.
func (a *app) runJob(ctx context.Context, job emit.Job, do work) {
	defer a.jobs.running.Done()
	a.runner.Run(ctx, job, do) // an error is logged, and told
}

// writeDown puts into the store what an event tells, before it is sent: whoever
// hears of it and fetches the state finds it there.
func (a *app) writeDown(job emit.Job, ev usercast.Event) {
	switch p := ev.Payload.(type) {
	case emit.JobProgress:
		a.jobs.progress(job.UserID, job.ID, p.Progress, p.Label)
	case emit.JobCompleted:
		a.jobs.end(job.UserID, job.ID, jobIsCompleted, fmt.Sprint(p.Result))
	case emit.JobCancelled:
		a.jobs.end(job.UserID, job.ID, jobIsCancelled, "cancelled")
	case emit.JobFailed:
		a.jobs.end(job.UserID, job.ID, jobIsFailed, "failed")
	}
}

// How the example's only work passes its ten seconds.
const (
	exportSteps = 50
	exportStep  = 200 * time.Millisecond
)

// export stands for real work.
func export(ctx context.Context, p *emit.Progress) (any, error) {
	ticker := time.NewTicker(exportStep)
	defer ticker.Stop()
	for step := range exportSteps {
		p.Report(step, exportSteps, fmt.Sprintf("Step %d of %d", step+1, exportSteps))
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, ctx.Err()
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
