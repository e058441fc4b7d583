package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// maxBody bounds a request's body in bytes.
const maxBody = 1 << 20

// A problem is why a request is refused: what is wrong, with which field of it, and what
// to do about it.
type problem struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Field   string `json:"field,omitempty"`
	Fix     string `json:"fix,omitempty"`
}

func (p *problem) Error() string { return p.Message }

// invalid says what is wrong with a field, and what it should be.
func invalid(field, wrong, fix string) error {
	return &problem{http.StatusBadRequest, field + ": " + wrong, field, fix}
}

// missing says that the user has no such thing.
func missing(what string) error {
	return &problem{http.StatusNotFound, "there is no such " + what, "", "it may be gone: reload"}
}

// busy says that a thing cannot be changed now.
func busy(field, what, fix string) error {
	return &problem{http.StatusConflict, what, field, fix}
}

// because gives an error of the store the words of the route; others stay as they are.
func because(err error, notFound, isBusy error) error {
	switch {
	case notFound != nil && errors.Is(err, store.ErrNotFound):
		return notFound
	case isBusy != nil && errors.Is(err, store.ErrBusy):
		return isBusy
	}
	return err
}

// decode reads a JSON object into v. Fields that nobody knows are refused: a typing error
// would else be a change that silently did not happen.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		} else if err == nil {
			err = errors.New("more than one value")
		}
	}
	var tooBig *http.MaxBytesError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooBig):
		return &problem{http.StatusRequestEntityTooLarge, "the body is too large", "", fmt.Sprintf("send at most %d bytes", maxBody)}
	case errors.As(err, &wrong) && wrong.Field != "":
		return invalid(wrong.Field, "a "+wrong.Value, "send a "+wrong.Type.String())
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		text = "it ends too early"
	}
	return &problem{http.StatusBadRequest, "body: " + text, "", "send one JSON object"}
}

// respond writes v as JSON.
func respond(w http.ResponseWriter, status int, v any) error {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client has gone
	return nil
}

// fail writes an error as JSON. What is not the client's business is logged.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, store.ErrOverloaded), errors.Is(err, usercast.ErrUnavailable):
		p = &problem{http.StatusServiceUnavailable, "the database is busy", "", "wait a second, then try again"}
		a.log.Warn("orders: overloaded", "method", r.Method, "path", r.URL.Path, "error", err)
	case errors.Is(err, store.ErrFull):
		p = &problem{http.StatusConflict, strings.TrimPrefix(err.Error(), "store: "), "", "delete some first"}
	default:
		p = &problem{http.StatusInternalServerError, "internal error", "", "try again; the server's log says more"}
		if r.Context().Err() == nil {
			a.log.Error("orders: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
	}
	switch p.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
	}
	respond(w, p.Status, p) //nolint:errcheck // it has none
}
