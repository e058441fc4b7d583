package emit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

func TestJobRefuses(t *testing.T) {
	var to tape
	partial := testJobs
	partial.Retrying = usercast.EventType[JobRetrying]{}
	for words, cfg := range map[string]JobConfig{
		"JobConfig.Events.Queued: missing; DefineJobs": {To: &to},
		"JobConfig.Events.Retrying: missing":           {To: &to, Events: partial},
		"JobConfig.To: missing":                        {Events: testJobs},
		"JobConfig.MaxAttempts: -1, want 1 to 1000":    {Events: testJobs, To: &to, MaxAttempts: -1},
		"JobConfig.MaxAttempts: 1001":                  {Events: testJobs, To: &to, MaxAttempts: 1001},
		"ProgressConfig.PerSecond: 5000":               {Events: testJobs, To: &to, Progress: ProgressConfig{PerSecond: 5000}},
	} {
		_, err := NewJobRunner(cfg)
		wantErr(t, err, usercast.ErrInvalidConfig, words)
	}
	r := newRunner(t, &to, nil)
	for words, change := range map[string]func(*Job){
		"ID: 0 bytes, want 1 to 252":     func(j *Job) { j.ID = "" },
		"ID: 253 bytes":                  func(j *Job) { j.ID = strings.Repeat("x", 253) },
		"ID: it is not UTF-8":            func(j *Job) { j.ID = "\xff" },
		"UserID: 0 bytes, want 1 to 128": func(j *Job) { j.UserID = "" },
		"UserID: 129 bytes":              func(j *Job) { j.UserID = strings.Repeat("x", 129) },
		"Type: 0 bytes, want 1 to 128":   func(j *Job) { j.Type = "" },
		"Type: it is not UTF-8":          func(j *Job) { j.Type = "\xff" },
		"Except: 65 bytes, at most 64":   func(j *Job) { j.Except = strings.Repeat("x", 65) },
	} {
		job := testJob
		change(&job)
		called := func(context.Context, *Progress) (any, error) { t.Error("called"); return nil, nil }
		wantErr(t, r.Run(t.Context(), job, called), ErrInvalidJob, words)
		wantErr(t, r.Queue(nil, job), ErrInvalidJob, words)
		wantErr(t, r.Cancel(job, nil), ErrInvalidJob, words)
		wantErr(t, r.Orphaned(job), ErrInvalidJob, words)
	}
	wantErr(t, r.Run(t.Context(), testJob, nil), ErrInvalidJob, "fn: missing")
	if len(to.all()) != 0 || r.Stats() != (JobStats{}) {
		t.Errorf("got %s and %+v", to.types(""), r.Stats())
	}
	// What is only shown is cut, and a job at all bounds can be told of.
	hub := newTestHub(t, usercast.Config{})
	to.refuse = hub.Broadcast
	job := Job{ID: strings.Repeat("x", 252), UserID: strings.Repeat("u", 128), Type: strings.Repeat("t", 128),
		EntityID: "\xff", EntityName: strings.Repeat("n", 5000), Except: strings.Repeat("e", 64)}
	err := r.Run(t.Context(), job, func(context.Context, *Progress) (any, error) {
		return nil, Public(strings.Repeat("é", 1000)+"\xff", nil)
	})
	if err == nil || r.Stats().Unsent != 0 || to.types("TESTJOB_") != "STARTED FAILED" {
		t.Errorf("got %v, %+v and %s", err, r.Stats(), to.types(""))
	}
	if started := to.all()[0].Payload.(JobStarted); started.EntityID != "?" || len(started.EntityName) != 1024 {
		t.Errorf("got %+v", started)
	}
	if failed := to.all()[1].Payload.(JobFailed); failed.Error != strings.Repeat("é", 512) {
		t.Errorf("got an error of %d bytes", len(failed.Error))
	}
}

func TestPublicText(t *testing.T) {
	for want, err := range map[string]error{
		"internal error": errJob,
		"no paper":       fmt.Errorf("export: %w", Public("no paper", errJob)),
		"outer":          Public("outer", Public("inner", nil)),
		"timed out":      fmt.Errorf("http: %w", context.DeadlineExceeded),
		"too slow":       Public("too slow", context.DeadlineExceeded),
		"joined":         errors.Join(errJob, Public("joined", nil)),
	} {
		if got := PublicText(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
	if err := Public("no paper", errJob); err.Error() != "no paper: "+errJob.Error() || !errors.Is(err, errJob) {
		t.Errorf("got %v", err)
	}
	if err := Public("no paper", nil); err.Error() != "no paper" || errors.Unwrap(err) != nil {
		t.Errorf("got %v", err)
	}
}

func TestDefineJobs(t *testing.T) {
	catalog := usercast.Defined()
	for _, name := range []string{"QUEUED", "STARTED", "PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "RETRYING", "REQUEUED"} {
		d, ok := catalog.Lookup("TESTJOB_" + name)
		want := usercast.Buffered
		if name == "PROGRESS" {
			want = usercast.Latest
		}
		if !ok || d.Class != want || !d.Keyed || d.Doc == "" {
			t.Errorf("%s: got %+v", name, d)
		}
	}
	if _, ok := catalog.Lookup("JOB_QUEUED"); !ok { // an example has them
		DefineJobs("")
	}
	for prefix, want := range map[string]string{"TESTJOB": "TESTJOB_QUEUED is defined already", "": "JOB_QUEUED is defined already"} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
					t.Errorf("got panic %s, want %s", got, want)
				}
			}()
			DefineJobs(prefix)
		}()
	}
}
