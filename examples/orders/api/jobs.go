package api

import (
	"context"
	"database/sql"
	"errors"
	"net/http"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/jobs"
)

// Jobs is what the API needs of a *jobs.Runner.
type Jobs interface {
	Enqueue(ctx context.Context, tx *sql.Tx, out *emit.Outbox, req jobs.Request) (jobID string, err error)
	Cancel(ctx context.Context, userID, jobID string) error
	Retry(ctx context.Context, userID, jobID, device string) (newID string, err error)
	List(ctx context.Context, userID string) ([]jobs.Job, error)
}

// accepted says which job does the work.
type accepted struct {
	JobID string `json:"jobId"`
}

// work is what a job is to do.
type work struct {
	kind string // one of the types of package jobs
	name string // of what it works on, for people
	args any
}

// startJob gives work on a row of the path to a job. find looks the row up and says what
// the work is. The job, the mark on its row that keeps others from changing it, and
// the events of both are one transaction.
func (a *API) startJob(w http.ResponseWriter, r *http.Request, user, what string, isBusy error, find func(ctx context.Context, tx *sql.Tx, id string) (work, error)) error {
	id, err := pathID(r, what)
	if err != nil {
		return err
	}
	return a.enqueue(w, r, user, missing(what), isBusy, func(ctx context.Context, tx *sql.Tx) (jobs.Request, error) {
		todo, err := find(ctx, tx, id)
		return jobs.Request{UserID: user, Type: todo.kind, EntityID: id, EntityName: todo.name, Args: todo.args, Device: deviceOf(r)}, err
	})
}

// enqueue adds a job and answers with its ID.
func (a *API) enqueue(w http.ResponseWriter, r *http.Request, user string, notFound, isBusy error, request func(ctx context.Context, tx *sql.Tx) (jobs.Request, error)) error {
	var jobID string
	err := a.write(r, user, func(ctx context.Context, tx *sql.Tx, out *emit.Outbox) error {
		req, err := request(ctx, tx)
		if err == nil {
			jobID, err = a.cfg.Jobs.Enqueue(ctx, tx, out, req)
		}
		return jobProblem(because(err, notFound, isBusy))
	})
	if err != nil {
		return err
	}
	return respond(w, http.StatusAccepted, accepted{jobID})
}

// jobProblem gives an error of the jobs words for people.
func jobProblem(err error) error {
	switch {
	case errors.Is(err, jobs.ErrNotFound):
		return missing("job")
	case errors.Is(err, jobs.ErrEnded):
		return busy("", "the job has ended", "there is nothing to cancel")
	case errors.Is(err, jobs.ErrNotEnded):
		return busy("", "the job has neither failed nor been cancelled", "wait until it has ended, or cancel it")
	case errors.Is(err, jobs.ErrQueueFull):
		return &problem{http.StatusTooManyRequests, "too many of your jobs wait", "", "wait until one has ended, or cancel one"}
	}
	return err
}

func (a *API) listJobs(w http.ResponseWriter, r *http.Request, user string) error {
	rows, err := a.cfg.Jobs.List(r.Context(), user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

// cancelJob answers when the job knows: that it has ended is an event.
func (a *API) cancelJob(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "job")
	if err != nil {
		return err
	}
	if err := a.cfg.Jobs.Cancel(r.Context(), user, id); err != nil {
		return jobProblem(err)
	}
	return respond(w, http.StatusAccepted, struct{}{})
}

// retryJob does a job anew that has failed or was cancelled, as another job.
func (a *API) retryJob(w http.ResponseWriter, r *http.Request, user string) error {
	id, err := pathID(r, "job")
	if err != nil {
		return err
	}
	newID, err := a.cfg.Jobs.Retry(r.Context(), user, id, deviceOf(r))
	if err != nil {
		gone := &problem{http.StatusConflict, "what the job worked on is gone", "", "there is nothing to try again"}
		return jobProblem(because(err, gone, busy("", "another job works on the same", "wait until that has ended, or cancel it")))
	}
	return respond(w, http.StatusAccepted, accepted{newID})
}
