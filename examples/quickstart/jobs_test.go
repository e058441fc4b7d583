package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

func TestJobRunsToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		k, _ := s.connect(token, "two", nil)
		var j job
		began := time.Now()
		s.must(http.StatusAccepted, &j, "POST", "/jobs", token, "one", nil)
		started := k.want("JOB_STARTED", fmt.Sprintf(`{"jobId":%q,"type":"export","entityId":"orders","entityName":"All orders"}`, j.ID))
		if want := "job:" + j.ID; started.Key != want {
			t.Errorf("JOB_STARTED: got key %q, want %q", started.Key, want)
		}
		seen := -1
		for {
			f := k.next()
			if f.Key != "job:"+j.ID {
				t.Errorf("%s: got key %q", f.Type, f.Key)
			}
			if f.Type != "JOB_PROGRESS" {
				if f.Type != "JOB_COMPLETED" || !strings.Contains(string(f.Payload), `"result":"50 steps done"`) {
					t.Errorf("at the end: got %s %s", f.Type, f.Payload)
				}
				break
			}
			var p emit.JobProgress
			if err := json.Unmarshal(f.Payload, &p); err != nil || f.Class != "latest" || p.JobID != j.ID || p.Type != "export" ||
				p.Label == "" || p.Progress <= seen || p.Progress > 100 {
				t.Fatalf("after %d %%: got %s %s", seen, f.Class, f.Payload)
			}
			seen = p.Progress
		}
		if took := time.Since(began); seen != 98 || took != 10*time.Second {
			t.Errorf("got %d %% and %v, want 98 %% and 10s", seen, took)
		}
		if got := s.state(token).Jobs; len(got) != 1 || got[0].Status != jobIsCompleted || got[0].Progress != 100 {
			t.Errorf("state: got %+v", got)
		}
		// The end has cleared the newest progress: nothing old comes to a new device.
		late, _ := s.connect(token, "three", nil)
		o := s.order(token, "", "tea")
		late.want("PENDING_CREATED", one(o.ID))
	})
}

func TestJobResumesInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		cursor := s.state(token).Cursor
		s.must(http.StatusAccepted, nil, "POST", "/jobs", token, "one", nil)
		time.Sleep(5*time.Second + exportStep/2)
		k, verdict := s.connect(token, "two", &cursor)
		if verdict != "resumed" {
			t.Errorf("got verdict %s, want resumed", verdict)
		}
		if f := k.next(); f.Type != "JOB_STARTED" {
			t.Errorf("got %s, want JOB_STARTED", f.Type)
		}
		if f := k.next(); f.Type != "JOB_PROGRESS" || !strings.Contains(string(f.Payload), `"progress":50,`) {
			t.Errorf("got %s %s, want 50 %%", f.Type, f.Payload)
		}
	})
}

func TestJobsAreBoundedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		for range 3 {
			for range maxUserJobs {
				s.must(http.StatusAccepted, nil, "POST", "/jobs", token, "", nil)
			}
			s.wantProblem(http.StatusTooManyRequests, "", "POST", "/jobs", token, "")
			time.Sleep(11 * time.Second)
		}
		if got := s.state(token).Jobs; len(got) != maxEndedJobs {
			t.Errorf("got %d jobs, want the last %d", len(got), maxEndedJobs)
		}
		s.must(http.StatusAccepted, nil, "POST", "/jobs", s.login("bob"), "", nil)
	})
}

func TestStopCancelsJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		token := s.login("ann")
		var j job
		s.must(http.StatusAccepted, &j, "POST", "/jobs", token, "one", nil)
		k, _ := s.connect(token, "one", nil)
		time.Sleep(time.Second)
		ended := make(chan error, 1)
		go func() { ended <- s.app.shutdown(context.Background()) }()
		var last frame
		for {
			f, err := k.read()
			if err != nil {
				if got := websocket.CloseStatus(err); got != usercast.CloseRestarting {
					t.Errorf("got %v, want close code 1012", err)
				}
				break
			}
			last = f
		}
		if want := fmt.Sprintf(`{"jobId":%q,"type":"export"}`, j.ID); last.Type != "JOB_CANCELLED" || string(last.Payload) != want {
			t.Errorf("last event: got %s %s, want JOB_CANCELLED %s", last.Type, last.Payload, want)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.wantProblem(http.StatusServiceUnavailable, "", "POST", "/jobs", token, "")
	})
}

func TestJobThatFailsHasALastEvent(t *testing.T) {
	for name, do := range map[string]work{
		"panic": func(context.Context, *emit.Progress) (any, error) { panic("secret") },
		"error": func(context.Context, *emit.Progress) (any, error) { return nil, errors.New("secret") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				token := s.login("ann")
				k, _ := s.connect(token, "two", nil)
				j, err := s.app.jobs.start("ann", "export")
				if err != nil {
					t.Fatal(err)
				}
				s.app.runJob(context.Background(), emit.Job{ID: j.ID, UserID: "ann", Type: j.Type}, do)
				k.want("JOB_STARTED", fmt.Sprintf(`{"jobId":%q,"type":"export","entityId":"","entityName":""}`, j.ID))
				k.want("JOB_FAILED", fmt.Sprintf(`{"jobId":%q,"type":"export","error":"internal error"}`, j.ID))
				if got := s.state(token).Jobs[0].Status; got != jobIsFailed {
					t.Errorf("got status %s", got)
				}
				if !strings.Contains(s.logs.String(), "secret") {
					t.Error("the error was not logged")
				}
			})
		})
	}
}

type panicker struct{}
