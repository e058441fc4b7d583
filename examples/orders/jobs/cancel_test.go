package jobs

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/usercast-go/usercast/emit"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

func TestCancel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		var g gateway
		tp := &tape{}
		b := newBench(t, s, tp, func(c *Config) {
			c.kinds = fakes(g.work, "job")
			c.kinds["fails"] = fake(func(context.Context, *run, *emit.Progress) (any, error) { return nil, errTest })
			c.Backoff = func(int) time.Duration { return time.Hour }
		}).start()
		ctx := t.Context()
		for _, user := range []string{"anna", "bruno"} {
			storetest.User(t, s, user)
		}
		var ids []string
		for range 4 {
			ids = append(ids, b.enqueue(Request{UserID: "anna", Type: "job"}))
		}
		b.until("JOB_STARTED", ids[0])
		wantErr(t, "another user's", b.Cancel(ctx, "bruno", ids[1]), ErrNotFound)
		for _, i := range []int{1, 0} { // one that waits, and the one that runs
			if err := b.Cancel(ctx, "anna", ids[i]); err != nil {
				t.Error(err)
			}
			b.ended(ids[i])
			want(t, "status", b.job("anna", ids[i]).Status, Cancelled)
			wantErr(t, "a second time", b.Cancel(ctx, "anna", ids[i]), ErrEnded)
		}
		close(g.of(ids[2]))
		close(g.of(ids[3]))
		b.ended(ids[3])
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_QUEUED JOB_QUEUED JOB_QUEUED JOB_STARTED JOB_CANCELLED JOB_CANCELLED "+
			"JOB_STARTED JOB_COMPLETED JOB_STARTED JOB_COMPLETED")
		wantErr(t, "one that is done", b.Cancel(ctx, "anna", ids[3]), ErrEnded)

		pausing := b.enqueue(Request{UserID: "bruno", Type: "fails"})
		b.until("JOB_RETRYING", pausing)
		want(t, "status", b.job("bruno", pausing).Status, Retrying)
		if err := b.Cancel(ctx, "bruno", pausing); err != nil {
			t.Error(err)
		}
		b.ended(pausing)
		want(t, "events", tp.types("bruno"), "JOB_QUEUED JOB_STARTED JOB_RETRYING JOB_CANCELLED")
	})
}

// A job that is first in the queue and not yet taken can be cancelled, and the next one
// comes.
func TestCancelFirst(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		storetest.User(t, s, "anna")
		tp := &tape{}
		b := newBench(t, s, tp, func(c *Config) {
			c.pace = noTicks
			c.pace.pause = time.Second // its turn has come, and waits
			c.kinds = fakes(func(context.Context, *run, *emit.Progress) (any, error) { return nil, nil }, "job")
		}).start()
		first, second := b.enqueue(Request{UserID: "anna", Type: "job"}), b.enqueue(Request{UserID: "anna", Type: "job"})
		if err := b.Cancel(t.Context(), "anna", first); err != nil {
			t.Error(err)
		}
		b.ended(second)
		want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_QUEUED JOB_CANCELLED JOB_STARTED JOB_COMPLETED")
	})
}

// What a job worked on comes free with its cancellation, and its retry takes it again.
func TestCancelAndRetry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		tp := &tape{}
		b := newBench(t, s, tp, nil).start()
		ctx := t.Context()
		th := addThings(t, s, "anna", "")
		submit := b.enqueue(Request{UserID: "anna", Type: SubmitOrder, EntityID: th.pending})
		_, err := b.Retry(ctx, "anna", submit, "")
		wantErr(t, "retry of one that has not ended", err, ErrNotEnded)
		b.ended(submit)
		_, err = b.Retry(ctx, "anna", submit, "")
		wantErr(t, "retry of one that is done", err, ErrNotEnded)
		_, err = b.Retry(ctx, "bruno", submit, "")
		wantErr(t, "retry of another's", err, ErrNotFound)

		edit := b.enqueue(Request{UserID: "anna", Type: EditOrder, EntityID: th.order, EntityName: "S1", Args: NoteArgs{"#slow noon"}})
		b.until("JOB_PROGRESS", edit)
		_, err = b.tryEnqueue(Request{UserID: "anna", Type: SendToVerona, EntityID: th.order})
		wantErr(t, "an order that is being edited", err, store.ErrBusy)
		if err := b.Cancel(ctx, "anna", edit); err != nil {
			t.Error(err)
		}
		b.ended(edit)
		before := len(tp.events())
		again, err := b.Retry(ctx, "anna", edit, "phone")
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Retry(ctx, "anna", edit, "phone")
		wantErr(t, "retry of one whose order is busy", err, store.ErrBusy)
		b.ended(again)
		var got []string
		for _, h := range tp.events()[before:] {
			if !strings.HasSuffix(h.typ, "_PROGRESS") {
				got = append(got, h.typ)
			}
		}
		want(t, "events", strings.Join(got, " "), "JOB_REQUEUED ORDER_UPDATED JOB_QUEUED JOB_STARTED ORDER_EDIT_COMPLETE ORDER_UPDATED JOB_COMPLETED")
		j := b.job("anna", again)
		if j.OriginalJobID == nil || *j.OriginalJobID != edit || j.EntityName != "S1" {
			t.Errorf("got %+v", j)
		}
		list, err := b.List(ctx, "anna")
		if err != nil || len(list) != 3 || list[0].ID != again || list[2].ID != submit || list[2].Result == nil {
			t.Errorf("list: got %+v, %v", list, err)
		}
	})
}

// A job that runs in another process is cancelled from here.
func TestCancelElsewhere(t *testing.T) {
	s := storetest.Open(t, storetest.DSN(t, store.PostgreSQL))
	storetest.User(t, s, "anna")
	var g gateway
	tp := &tape{}
	make := func() *bench { return newBench(t, s, tp, func(c *Config) { c.kinds = fakes(g.work, "job") }) }
	runs, asks := make().start(), make()
	id := runs.enqueue(Request{UserID: "anna", Type: "job"})
	runs.until("JOB_STARTED", id)
	if err := asks.Cancel(t.Context(), "anna", id); err != nil {
		t.Error(err)
	}
	runs.ended(id)
	want(t, "events", tp.types("anna"), "JOB_QUEUED JOB_STARTED JOB_CANCELLED")
}
