package emit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// JobEvents are the application's: JOB_STARTED and so on.
var JobEvents = emit.DefineJobs("JOB")

// unlogged keeps the examples' output their own.
var unlogged = slog.New(slog.NewTextHandler(io.Discard, nil))

// A function that fails at first and says what of that the user may know.
func ExampleJobRunner_Run() {
	runner, err := emit.NewJobRunner(emit.JobConfig{
		Events:      JobEvents,
		To:          console{},
		MaxAttempts: 2,
		Backoff:     func(int) time.Duration { return 10 * time.Millisecond },
		Logger:      unlogged,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	job := emit.Job{ID: "42", UserID: "ann", Type: "print", EntityID: "o1", EntityName: "Order 1"}
	paper := false
	err = runner.Run(context.Background(), job, func(ctx context.Context, p *emit.Progress) (any, error) {
		p.Report(1, 4, "Page 1 of 4")
		if !paper {
			paper = true
			return nil, emit.Public("out of paper", errors.New("lpd: printer 10.0.0.7: status 0x8"))
		}
		return map[string]int{"pages": 4}, nil
	})
	fmt.Println(err)
	// Output:
	// ann: JOB_STARTED {"jobId":"42","type":"print","entityId":"o1","entityName":"Order 1"}
	// ann: JOB_PROGRESS {"jobId":"42","type":"print","progress":25,"label":"Page 1 of 4"}
	// ann: JOB_RETRYING {"jobId":"42","type":"print","attempt":2,"maxAttempts":2,"delayMs":10,"error":"out of paper"}
	// ann: JOB_STARTED {"jobId":"42","type":"print","entityId":"o1","entityName":"Order 1"}
	// ann: JOB_PROGRESS {"jobId":"42","type":"print","progress":25,"label":"Page 1 of 4"}
	// ann: JOB_COMPLETED {"jobId":"42","type":"print","result":{"pages":4}}
	// <nil>
}

// A job makes room for a more urgent one and goes on later, under another ID.
func ExampleJobRunner_Requeue() {
	runner, err := emit.NewJobRunner(emit.JobConfig{Events: JobEvents, To: console{}, Logger: unlogged})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	job := emit.Job{ID: "42", UserID: "ann", Type: "sync"}
	err = runner.Run(ctx, job, func(ctx context.Context, p *emit.Progress) (any, error) {
		cancel(emit.ErrJobPreempted) // whoever schedules does this
		<-ctx.Done()
		return nil, ctx.Err()
	})
	if errors.Is(err, emit.ErrJobPreempted) {
		next := job
		next.ID = "43"
		err = runner.Requeue(job, next)
	}
	fmt.Println(err)
	// Output:
	// ann: JOB_STARTED {"jobId":"42","type":"sync","entityId":"","entityName":""}
	// ann: JOB_CANCELLED {"jobId":"42","type":"sync","reason":"preempted"}
	// ann: JOB_REQUEUED {"originalJobId":"42","newJobId":"43"}
	// ann: JOB_QUEUED {"jobId":"43","type":"sync","entityId":"","entityName":""}
	// <nil>
}

// When it starts, a server ends the jobs that died with the one before it.
func ExampleJobRunner_Orphaned() {
	var rows []emit.Job // SELECT … FROM jobs WHERE status = 'running' AND no other process holds them
	rows = append(rows, emit.Job{ID: "41", UserID: "bob", Type: "export"})

	runner, err := emit.NewJobRunner(emit.JobConfig{
		Events: JobEvents,
		To:     console{},
		Logger: unlogged,
		Before: func(job emit.Job, ev usercast.Event) {
			if failed, ok := ev.Payload.(emit.JobFailed); ok {
				fmt.Printf("UPDATE jobs: %s failed: %s\n", job.ID, failed.Error)
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(runner.Orphaned(rows...))
	// Output:
	// UPDATE jobs: 41 failed: interrupted
	// bob: JOB_FAILED {"jobId":"41","type":"export","error":"interrupted"}
	// <nil>
}
