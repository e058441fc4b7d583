package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

// maxBody bounds a request's body in bytes.
const maxBody = 4 << 10

// A problem is an error that the client can do something about.
type problem struct {
	Status  int    `json:"-"`
	Message string `json:"error"`
	Field   string `json:"field,omitempty"` // the one to correct
}

func (p *problem) Error() string { return p.Message }

// invalid says what is wrong with a field of the request.
func invalid(field, format string, args ...any) error {
	return &problem{http.StatusUnprocessableEntity, field + ": " + fmt.Sprintf(format, args...), field}
}

// signedIn lets a request through with the user its token was made for.
func (a *app) signedIn(next func(w http.ResponseWriter, r *http.Request, user string)) http.Handler {
	return a.emitting(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := a.auth.Authenticate(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, &problem{http.StatusUnauthorized, "token missing, invalid or expired: log in", ""})
			return
		}
		next(w, r, id.UserID)
	}))
}

// emitting gives each request an outbox for its events, which emit.From finds. They are
// sent when the response is out, and dropped if it says that nothing was changed.
func (a *app) emitting(next http.Handler) http.Handler {
	return emit.OutboxConfig{Logger: a.log}.Middleware(a.hub)(next)
}

// deviceOf names the device that sent a request, for Event.Except: it has its
// answer and needs no echo, which it would take for somebody else's change. It
// says so by the ID with which it connects to the hub (?device=). A name that
// cannot be one is nobody's, and everybody hears of the change.
func deviceOf(r *http.Request) string {
	device := r.Header.Get("X-Device")
	if len(device) > usercast.MaxDeviceBytes {
		return ""
	}
	return device
}

// decode reads a small JSON object into v.
func decode(w http.ResponseWriter, r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
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
		return &problem{http.StatusRequestEntityTooLarge, fmt.Sprintf("body: at most %d bytes", maxBody), ""}
	case errors.As(err, &wrong) && wrong.Field != "":
		return invalid(wrong.Field, "got a %s, want a %s", wrong.Value, wrong.Type)
	default:
		return &problem{http.StatusBadRequest, "body: " + err.Error(), ""}
	}
}

// respond writes v as JSON.
func respond(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // an error means that the client has gone
}

// fail writes an error as JSON.
func fail(w http.ResponseWriter, err error) {
	var p *problem
	if !errors.As(err, &p) {
		p = &problem{http.StatusInternalServerError, "internal error", ""}
	}
	respond(w, p.Status, p)
}
