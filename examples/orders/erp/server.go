package erp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"
)

// maxBody bounds a request, and with it everything that is kept of it.
const maxBody = 64 << 10

// Config says how the simulator behaves. Its zero value is usable: no latency, no failures.
type Config struct {
	// Seed is what data, latencies and failures are made of.
	Seed int64
	// Latency is the mean of one call. 0: none; at most a minute.
	Latency time.Duration
	// Failures is the share of calls that fail and may be tried again, 0 to 1.
	Failures float64
	// MaxRows bounds each list, for tests that have no time for thousands. 0: no bound.
	MaxRows int
	// SlowFor is how long a job of the text #slow takes. 0: 15 seconds.
	SlowFor time.Duration
}

func (cfg Config) check() error {
	switch {
	case cfg.Latency < 0 || cfg.Latency > time.Minute:
		return fmt.Errorf("erp: Config.Latency: %v, want 0 to 1 minute", cfg.Latency)
	case math.IsNaN(cfg.Failures) || cfg.Failures < 0 || cfg.Failures > 1:
		return fmt.Errorf("erp: Config.Failures: %v, want 0 to 1", cfg.Failures)
	case cfg.MaxRows < 0:
		return fmt.Errorf("erp: Config.MaxRows: %d, want 1 or more, or 0 for no bound", cfg.MaxRows)
	case cfg.SlowFor < 0:
		return fmt.Errorf("erp: Config.SlowFor: %v, want a positive duration, or 0 for 15 s", cfg.SlowFor)
	}
	return nil
}

// A request is a call of any kind.
type request struct {
	Job   string `json:"job"`  // whose call it is
	User  string `json:"user"` // whose data it is
	Text  string `json:"text"` // what may hold #fail and its like
	Calls int    `json:"calls"`
	ID    string `json:"id,omitempty"` // of the order, customer or record

	Name  string `json:"name,omitempty"`
	City  string `json:"city,omitempty"`
	Email string `json:"email,omitempty"`
	Note  string `json:"note,omitempty"`

	Reference  string `json:"reference,omitempty"` // what an order is created for
	CustomerID string `json:"customerId,omitempty"`
	TotalCents int64  `json:"totalCents,omitempty"`

	Offset int `json:"offset,omitempty"`
	Limit  int `json:"limit,omitempty"`
}

func (r request) check() error {
	for _, f := range []struct{ name, value string }{{"job", r.Job}, {"user", r.User}} {
		if err := checkID(f.name, f.value); err != nil {
			return err
		}
	}
	if r.Offset < 0 || r.Limit < 0 || r.Limit > MaxPage {
		return fmt.Errorf("offset, limit: %d, %d: want an offset of 0 or more and a limit of at most %d", r.Offset, r.Limit, MaxPage)
	}
	return nil
}

func checkID(name, value string) error {
	if value == "" || len(value) > 256 {
		return fmt.Errorf("%s: %d bytes, want 1 to 256", name, len(value))
	}
	return nil
}

// The ERP's answers that are none.
type failure struct {
	status int
	text   string // fit to be shown
}

func (f *failure) Error() string { return f.text }

// A simulator is the ERP. It is safe for concurrent use.
type simulator struct {
	faults *faults
	world  *world
	ops    map[string]op
}

// An op does what a call asks for, when the time for it has come.
type op struct {
	do func(request) (any, error)
	// meets says whether this is the call at which a #fail or #flaky job fails.
	meets func(request) bool
}

// NewHandler returns the simulator as a handler, for tests that need no process. Errors
// name the field.
func NewHandler(cfg Config) (http.Handler, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &simulator{faults: newFaults(cfg), world: newWorld(cfg)}
	s.ops = s.operations()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/{op}", s.call)
	return mux, nil
}

func (s *simulator) operations() map[string]op {
	always := func(request) bool { return true }
	never := func(request) bool { return false }
	w := s.world
	ops := map[string]op{
		"screen":         {func(request) (any, error) { return struct{}{}, nil }, never},
		"createOrder":    {w.createOrder, always},
		"orderNumber":    {w.orderNumber, never},
		"editOrder":      {w.editOrder, always},
		"deleteOrder":    {w.deleteOrder, always},
		"sendToVerona":   {w.sendToVerona, always},
		"updateCustomer": {w.updateCustomer, always},
		"editRecord":     {func(request) (any, error) { return struct{}{}, nil }, always},
		"deleteRecord":   {func(request) (any, error) { return struct{}{}, nil }, always},
	}
	for name, list := range w.lists() {
		ops[name] = op{list.page, func(r request) bool { return r.Offset+r.Limit > list.total/2 }}
	}
	return ops
}

func (s *simulator) call(w http.ResponseWriter, r *http.Request) {
	op, ok := s.ops[r.PathValue("op")]
	if !ok {
		answer(w, nil, &failure{http.StatusNotFound, "the ERP knows no such call"})
		return
	}
	var req request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req); err != nil {
		answer(w, nil, &failure{http.StatusBadRequest, "the ERP does not understand the call"})
		return
	}
	if err := req.check(); err != nil {
		answer(w, nil, &failure{http.StatusBadRequest, err.Error()})
		return
	}
	if err := s.faults.meet(r.Context(), req, op.meets(req)); err != nil {
		answer(w, nil, err)
		return
	}
	v, err := op.do(req)
	answer(w, v, err)
}

// answer writes what a call returned. Nobody reads it if the write fails.
func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	var f *failure
	switch {
	case errors.As(err, &f):
		w.WriteHeader(f.status)
		v = map[string]string{"error": f.text}
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
		v = map[string]string{"error": "the ERP has an internal error"}
	}
	json.NewEncoder(w).Encode(v)
}
