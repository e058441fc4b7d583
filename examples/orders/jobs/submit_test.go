package jobs

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast/examples/orders/erp"
	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// A register is an ERP that notes the orders it has created, and gives none a number until
// it is told to.
type register struct {
	erp     http.Handler
	numbers chan struct{} // closed: it gives numbers

	mu    sync.Mutex
	ids   []string // of the orders, one for each call
	notes []string
	asked int // for a number
}

// ServeHTTP implements http.Handler.
func (reg *register) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasSuffix(r.URL.Path, "/orderNumber") {
		reg.mu.Lock()
		reg.asked++
		reg.mu.Unlock()
		select {
		case <-reg.numbers:
		case <-r.Context().Done():
			return
		}
	}
	answer := httptest.NewRecorder()
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	reg.erp.ServeHTTP(answer, r)
	if strings.HasSuffix(r.URL.Path, "/createOrder") {
		var in struct{ Note string }
		var out struct{ OrderID string }
		json.Unmarshal(body, &in)
		json.Unmarshal(answer.Body.Bytes(), &out)
		reg.mu.Lock()
		reg.ids, reg.notes = append(reg.ids, out.OrderID), append(reg.notes, in.Note)
		reg.mu.Unlock()
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

func (reg *register) state() (ids, notes []string, asked int) {
	reg.mu.Lock()
	defer reg.mu.Unlock()
	return append([]string(nil), reg.ids...), append([]string(nil), reg.notes...), reg.asked
}

// A submission that is cancelled when its order is in the ERP, and then done again, makes
// no second order there, whether it is tried again or sent anew with other contents.
func TestCancelledSubmissionIsOneOrder(t *testing.T) {
	for name, again := range map[string]func(b *bench, pending, jobID string) string{
		"retry": func(b *bench, _, jobID string) string {
			id, err := b.Retry(context.Background(), "anna", jobID, "")
			if err != nil {
				b.t.Fatal(err)
			}
			return id
		},
		"anew": func(b *bench, pending, _ string) string {
			_, err := store.UpdatePending(context.Background(), b.store.DB, "anna", pending, store.PendingInput{CustomerID: "K1", Note: "evening"})
			if err != nil {
				b.t.Fatal(err)
			}
			return b.enqueue(Request{UserID: "anna", Type: SubmitOrder, EntityID: pending})
		},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, s *store.Store) { cancelAndSubmit(t, s, name, again) })
		})
	}
}

func cancelAndSubmit(t *testing.T, s *store.Store, name string, again func(b *bench, pending, jobID string) string) {
	handler, err := erp.NewHandler(erp.Config{})
	if err != nil {
		t.Fatal(err)
	}
	reg := &register{erp: handler, numbers: make(chan struct{})}
	srv := httptest.NewServer(reg)
	t.Cleanup(srv.Close)
	b := newBench(t, s, &tape{}, func(c *Config) { c.ERP = erp.NewClient(srv.URL) }).start()
	th := addThings(t, s, "anna", "noon")
	first := b.enqueue(Request{UserID: "anna", Type: SubmitOrder, EntityID: th.pending})
	wantSoon(t, "the job waits for its number", func() bool { _, _, asked := reg.state(); return asked == 1 })
	if err := b.Cancel(t.Context(), "anna", first); err != nil {
		t.Fatal(err)
	}
	want(t, "the end of the first job", b.ended(first).typ, "JOB_CANCELLED")

	close(reg.numbers)
	want(t, "the end of the second job", b.ended(again(b, th.pending, first)).typ, "JOB_COMPLETED")
	ids, notes, _ := reg.state()
	if len(ids) != 2 || ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("the ERP has the orders %q, want one, written twice", ids)
	}
	want(t, "what was written", strings.Join(notes, ", "), map[string]string{"retry": "noon, noon", "anew": "noon, evening"}[name])
	list, err := store.Submitted(t.Context(), s.DB, "anna")
	if err != nil || len(list) != 2 || list[0].OrderID != ids[0] || list[0].OrderNumber == nil {
		t.Errorf("submitted: got %+v, %v; want %s beside S1", list, err, ids[0])
	}
}
