package emit

import "github.com/usercast-go/usercast"

// JobEvents are the types of event that tell of jobs. [DefineJobs] makes them, and
// one more Broadcast of the application's own is as good as one of a [JobRunner].
// All have the key "job:<jobId>", so that the newest progress of a job is kept for
// devices that connect in the middle, and whatever happens to the job next clears it.
type JobEvents struct {
	Queued    usercast.EventType[JobQueued]
	Started   usercast.EventType[JobStarted]
	Progress  usercast.EventType[JobProgress] // latest; all others are buffered
	Completed usercast.EventType[JobCompleted]
	Failed    usercast.EventType[JobFailed]
	Cancelled usercast.EventType[JobCancelled]
	Retrying  usercast.EventType[JobRetrying]
	Requeued  usercast.EventType[JobRequeued]
}

// JobQueued says that a job waits for its turn.
type JobQueued struct {
	JobID      string `json:"jobId"`
	Type       string `json:"type"`
	EntityID   string `json:"entityId"`
	EntityName string `json:"entityName"`
}

// JobStarted says that a job runs: for the first time, again after JobRetrying, or
// again after a restart of the process.
type JobStarted struct {
	JobID      string `json:"jobId"`
	Type       string `json:"type"`
	EntityID   string `json:"entityId"`
	EntityName string `json:"entityName"`
}

// JobProgress says how far a job has got.
type JobProgress struct {
	JobID    string `json:"jobId"`
	Type     string `json:"type"`
	Progress int    `json:"progress"` // percent, 0 to 100
	Label    string `json:"label"`
}

// JobCompleted says that a job is done.
type JobCompleted struct {
	JobID  string `json:"jobId"`
	Type   string `json:"type"`
	Result any    `json:"result"` // what the function returned; null if that cannot be sent
}

// JobFailed says that a job is not done, and nobody tries again.
type JobFailed struct {
	JobID string `json:"jobId"`
	Type  string `json:"type"`
	Error string `json:"error"` // fit to be shown: see JobConfig.PublicError
}

// JobCancelled says that a job was stopped before it was done, on purpose.
type JobCancelled struct {
	JobID  string `json:"jobId"`
	Type   string `json:"type"`
	Reason string `json:"reason,omitempty"` // "preempted", or the public text of the context's cause
}

// JobRetrying says that an attempt failed and when the next one begins.
type JobRetrying struct {
	JobID       string `json:"jobId"`
	Type        string `json:"type"`
	Attempt     int    `json:"attempt"` // the one that comes: 2 or more
	MaxAttempts int    `json:"maxAttempts"`
	DelayMs     int64  `json:"delayMs"`
	Error       string `json:"error"` // of the attempt that failed, fit to be shown
}

// JobRequeued says that a job, which has ended, is done anew under another ID. Its
// key is that of the original job.
type JobRequeued struct {
	OriginalJobID string `json:"originalJobId"`
	NewJobID      string `json:"newJobId"`
}

// JobKey returns the key of a job's events, for events of the application's own
// about the same job.
func JobKey(jobID string) string { return "job:" + jobID }

// DefineJobs defines the events of jobs: JOB_QUEUED and its like for the prefix
// "JOB", which "" means too. Like [usercast.Define] it is for package-level
// variables, and panics where a name is defined already:
//
//	var JobEvents = emit.DefineJobs("JOB")
//
// They are not defined before that, so the catalog of an application without jobs
// does not list them. It always lists all eight: of one that never retries, say,
// [usercast.Catalog.NeverSent] names JOB_RETRYING.
func DefineJobs(prefix string) JobEvents {
	if prefix == "" {
		prefix = "JOB"
	}
	return JobEvents{
		Queued: usercast.DefineKeyed(prefix+"_QUEUED", usercast.Buffered, func(p JobQueued) string { return JobKey(p.JobID) },
			"A job waits for its turn."),
		Started: usercast.DefineKeyed(prefix+"_STARTED", usercast.Buffered, func(p JobStarted) string { return JobKey(p.JobID) },
			"A job runs: for the first time, or again."),
		Progress: usercast.DefineKeyed(prefix+"_PROGRESS", usercast.Latest, func(p JobProgress) string { return JobKey(p.JobID) },
			"How far a job has got, in percent."),
		Completed: usercast.DefineKeyed(prefix+"_COMPLETED", usercast.Buffered, func(p JobCompleted) string { return JobKey(p.JobID) },
			"A job is done."),
		Failed: usercast.DefineKeyed(prefix+"_FAILED", usercast.Buffered, func(p JobFailed) string { return JobKey(p.JobID) },
			"A job is not done, and is not tried again."),
		Cancelled: usercast.DefineKeyed(prefix+"_CANCELLED", usercast.Buffered, func(p JobCancelled) string { return JobKey(p.JobID) },
			"A job was stopped before it was done, on purpose."),
		Retrying: usercast.DefineKeyed(prefix+"_RETRYING", usercast.Buffered, func(p JobRetrying) string { return JobKey(p.JobID) },
			"An attempt at a job failed; another one begins after a delay."),
		Requeued: usercast.DefineKeyed(prefix+"_REQUEUED", usercast.Buffered, func(p JobRequeued) string { return JobKey(p.OriginalJobID) },
			"A job that has ended is done anew under another ID."),
	}
}

// check says which type of event is missing.
func (e JobEvents) check() error {
	for _, f := range []struct {
		name string
		err  error
	}{
		{"Queued", errOf(classOf(e.Queued))},
		{"Started", errOf(classOf(e.Started))},
		{"Progress", errOf(classOf(e.Progress))},
		{"Completed", errOf(classOf(e.Completed))},
		{"Failed", errOf(classOf(e.Failed))},
		{"Cancelled", errOf(classOf(e.Cancelled))},
		{"Retrying", errOf(classOf(e.Retrying))},
		{"Requeued", errOf(classOf(e.Requeued))},
	} {
		if f.err != nil {
			return configError("JobConfig.Events."+f.name, "missing; DefineJobs makes them all")
		}
	}
	return nil
}

func errOf(_ usercast.Class, err error) error { return err }
