package usercast

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// Admin returns a handler by which operators and tools look into a running hub and
// act on it; the command usercast is one of them. Nothing of it is there unless an
// application mounts it:
//
//	admin := usercast.Admin(hub, usercast.AdminToken(os.Getenv("USERCAST_ADMIN_TOKEN")))
//	mux.Handle("/admin/usercast/", http.StripPrefix("/admin/usercast", admin))
//
// Its routes answer in JSON:
//
//	POST /send        {"user" or "users" or "all": true, "type", "payload", "key", "except"}
//	                  answers {"timestamp"} for a user, {"users": n} for several, each of
//	                  whom has a timestamp of their own, {"scope": "all"} for everyone
//	POST /disconnect  {"user", "reason"} answers {"closed": n}: see [Hub.Disconnect]
//	GET  /stats       the fields of [Stats], classes by their names
//	GET  /events      the [Catalog]: name, class, keyed, payload, doc, source, sent
//	GET  /tail?user=  a WebSocket that hears what the user's devices hear
//
// What is refused is answered by {"error", "field", "fix"}. A body may be as long as
// Config.MaxEventBytes and 64 KiB more; unknown fields are refused. Each send and
// disconnect is logged.
//
// auth decides about every request, before anything but its origin and, for a tail, the
// form of the handshake is looked at; nil lets it in. It is not an [Authenticator], for then every user of the application
// would pass. Its errors refuse as an Authenticator's do: 401, 403 for [ErrOrigin], 503
// for [ErrUnavailable]. It may be called from many goroutines. Requests that a browser
// sends for a page of another origin are refused with 403, whatever they carry and
// whatever Config.OriginPatterns says.
//
// A tail gets every frame as a device does, with the same parameters (lastEventTs,
// lastGlobalTs, epoch, device) and close codes, and ends as they do, by [Hub.Disconnect]
// and [Hub.Shutdown]. It is read-only: what it sends is counted and ignored, hub.auth
// too; auth is not asked again. OnConnect, OnDisconnect and OnMessage do not hear of
// it, and its connection ID begins with "tail.". It takes one of the user's
// Config.MaxConnsPerUser places, as [Hub.Connections] and [Stats] count it, but never
// a device's: where there is no place it is refused with 429 (4429), and a device that
// needs one gets the tail's, which ends with 4409.
//
// Like [Define], it panics where it can never work: hub or auth is nil.
func Admin(hub *Hub, auth func(*http.Request) error) http.Handler {
	switch {
	case hub == nil:
		panic("usercast: Admin: hub is nil: New makes one")
	case auth == nil:
		panic("usercast: Admin: auth is nil, and everyone would be an admin: AdminToken makes one")
	}
	return &admin{hub: hub, auth: auth}
}

// minAdminToken is what cannot be guessed, if it is random.
const minAdminToken = 32

// AdminToken returns an auth function for [Admin] that wants the token as
// "Authorization: Bearer", or as the subprotocol "usercast.bearer.<base64url>" from
// pages, which cannot set that header on a WebSocket. It reads no cookie and no URL,
// and compares in constant time.
//
// It panics if the token has less than 32 bytes, which "openssl rand -hex 32" makes, or
// characters that no header carries: an unset variable must not open the door.
func AdminToken(token string) func(*http.Request) error {
	switch {
	case len(token) < minAdminToken || len(token) > maxTokenBytes:
		panic(fmt.Sprintf("usercast: AdminToken: the token has %d bytes, want %d to %d of random text", len(token), minAdminToken, maxTokenBytes))
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		panic("usercast: AdminToken: the token has white space or other characters than ASCII; is there a line break at its end?")
	}
	want := sha256.Sum256([]byte(token)) // of one length, whatever the tokens'
	return func(r *http.Request) error {
		given, _, err := tokenSource{}.find(r)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256([]byte(given)); subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			return ErrTokenInvalid
		}
		return nil
	}
}

type admin struct {
	hub     *Hub
	auth    func(*http.Request) error
	nextLog atomic.Int64 // when a refusal may be logged again, monotonic ns
}

// A problem is a request that is refused.
type problem struct {
	status int
	Err    string `json:"error"`
	Field  string `json:"field,omitempty"`
	Fix    string `json:"fix,omitempty"`
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !sameSite(r) {
		a.refuse(w, r, &problem{status: http.StatusForbidden, Err: "origin not allowed", Fix: "use a page of the same host, or no browser"})
		return
	}
	if r.URL.Path == "/tail" && r.Method == http.MethodGet {
		a.tail(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), handshakeTimeout)
	defer cancel()
	if refused, detail := a.authenticate(r.WithContext(ctx)); refused != nil {
		if refused == refusedToken {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		a.refuse(w, r, &problem{status: refused.status, Err: detail})
		return
	}
	// A body that never ends must not keep the goroutine. Not every ResponseWriter can.
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(handshakeTimeout))
	answer, refused := a.answer(w, r)
	if refused != nil {
		a.refuse(w, r, refused)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// sameSite says whether a browser, if it is one, sends this for a page of our own.
// Browsers of today say so in both headers, and scripts can change neither.
func sameSite(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return false
	}
	return allowedOrigin(r, nil)
}

// authenticate asks auth.
func (a *admin) authenticate(r *http.Request) (*refusal, string) {
	var err error
	if !a.hub.guardSecrets("Admin's auth", nil, func() { err = a.auth(r) }, credentialsOf(r).secrets) {
		return refusedPanic, "internal error"
	}
	if err != nil {
		a.hub.logAuth(r, err)
		return authRefusal(err)
	}
	return nil, ""
}

func (a *admin) answer(w http.ResponseWriter, r *http.Request) (any, *problem) {
	method, serve := http.MethodGet, (func() (any, *problem))(nil)
	switch r.URL.Path {
	case "/send":
		method, serve = http.MethodPost, func() (any, *problem) { return a.send(w, r) }
	case "/disconnect":
		method, serve = http.MethodPost, func() (any, *problem) { return a.disconnect(w, r) }
	case "/stats":
		serve = func() (any, *problem) { return statsJSON(a.hub.Stats()), nil }
	case "/events":
		serve = func() (any, *problem) { return catalogJSON(Defined()), nil }
	case "/tail": // GET was served before
		serve = nil
	default:
		return nil, &problem{status: http.StatusNotFound, Err: "no such route: " + clip(r.URL.Path),
			Fix: "send, disconnect, stats, events or tail; mount Admin behind http.StripPrefix"}
	}
	if r.Method != method || serve == nil {
		w.Header().Set("Allow", method)
		return nil, &problem{status: http.StatusMethodNotAllowed, Err: "method " + clip(r.Method), Fix: method}
	}
	return serve()
}

// adminEnvelope is what a body may have beside the payload: names, keys and some
// hundred user IDs.
const adminEnvelope = 64 << 10

// read decodes a request's body, which must be one JSON object and nothing else.
func (a *admin) read(w http.ResponseWriter, r *http.Request, into any) *problem {
	limit := int64(a.hub.maxEventBytes) + adminEnvelope
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &problem{status: http.StatusRequestEntityTooLarge, Err: "body too large", Field: "payload",
			Fix: fmt.Sprintf("at most %d bytes (Config.MaxEventBytes and %d)", limit, adminEnvelope)}
	} else if err != nil {
		return &problem{status: http.StatusBadRequest, Err: "the body could not be read", Fix: "send it within 30 s"}
	}
	// encoding/json puts another rune in the place of what is not UTF-8: two users
	// would become one.
	if !utf8.Valid(body) {
		return &problem{status: http.StatusBadRequest, Err: "the body is not UTF-8", Fix: "JSON in UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err = dec.Decode(into); err == nil && len(bytes.TrimSpace(body[dec.InputOffset():])) > 0 {
		err = errors.New("something follows the object")
	}
	if err == nil {
		return nil
	}
	p := &problem{status: http.StatusBadRequest, Err: clip(err.Error()), Fix: "one JSON object with the fields of the route, see usercast.Admin"}
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		p.Field = wrong.Field
	} else if _, name, ok := strings.Cut(err.Error(), "unknown field "); ok {
		p.Field = clip(strings.Trim(name, `"`))
	}
	return p
}

// A sendRequest is the body of /send.
type sendRequest struct {
	User    string          `json:"user"`
	Users   []string        `json:"users"`
	All     bool            `json:"all"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	Key     string          `json:"key"`
	Except  string          `json:"except"`
}

type sendAnswer struct {
	Timestamp Timestamp `json:"timestamp,omitempty"`
	Users     int       `json:"users,omitempty"`
	Scope     string    `json:"scope,omitempty"`
}

func (a *admin) send(w http.ResponseWriter, r *http.Request) (any, *problem) {
	var in sendRequest
	if p := a.read(w, r, &in); p != nil {
		return nil, p
	}
	targets := 0
	for _, named := range []bool{in.User != "", in.Users != nil, in.All} {
		if named {
			targets++
		}
	}
	if targets != 1 || in.Users != nil && len(in.Users) == 0 {
		return nil, &problem{status: http.StatusBadRequest, Err: fmt.Sprintf("%d of user, users and all are set", targets),
			Field: "user", Fix: "name one user, a list of users, or all: true"}
	}
	ev := Event{Type: in.Type, Payload: in.Payload, Key: in.Key, Except: in.Except}
	var out sendAnswer
	var err error
	switch {
	case in.All:
		out.Scope = scopeAll
		err = a.hub.BroadcastAll(r.Context(), ev)
	case in.Users != nil:
		out.Users = distinct(in.Users)
		err = a.hub.BroadcastMany(r.Context(), in.Users, ev)
	default:
		out.Timestamp, err = a.hub.BroadcastContext(r.Context(), in.User, ev)
	}
	if err != nil {
		return nil, a.problem(err, &in)
	}
	a.hub.logger.Info("usercast: admin: send", "type", in.Type, "user_id", in.User, "users", out.Users, "scope", out.Scope, "remote", r.RemoteAddr)
	return out, nil
}

// distinct counts users as BroadcastMany does.
func distinct(users []string) int {
	seen := make(map[string]struct{}, len(users))
	for _, u := range users {
		seen[u] = struct{}{}
	}
	return len(seen)
}

// problem says which field an error of the hub's is about.
func (a *admin) problem(err error, in *sendRequest) *problem {
	p := &problem{status: http.StatusBadRequest, Err: err.Error()}
	switch {
	case errors.Is(err, ErrClosed):
		p.status, p.Fix = http.StatusServiceUnavailable, "ask the process that comes in this one's place"
	case errors.Is(err, ErrInvalidUser) && in.Users != nil:
		p.Field, p.Fix = "users", "each 1 to 128 bytes of UTF-8"
	case errors.Is(err, ErrInvalidUser):
		p.Field, p.Fix = "user", "1 to 128 bytes of UTF-8"
	case errors.Is(err, ErrTooLarge):
		p.status, p.Field, p.Fix = http.StatusRequestEntityTooLarge, "payload", "at most Config.MaxEventBytes with its envelope; or send an ID, and let the page fetch"
	case errors.Is(err, ErrPayload):
		p.Field, p.Fix = "payload", "JSON in UTF-8"
	case errors.Is(err, ErrInvalidEvent):
		p.Field, p.Fix = in.culprit()
	default: // a Classify that panicked, a client that went away
		p.status, p.Err = http.StatusInternalServerError, "the event was not sent: see the hub's log"
		a.hub.logger.Error("usercast: admin: send", "type", in.Type, "error", err)
	}
	return p
}

// culprit finds the field that makes an event invalid.
func (in *sendRequest) culprit() (field, fix string) {
	switch {
	case (&Event{Type: in.Type}).check() != nil:
		return "type", `1 to 128 printable ASCII characters without space, quote and backslash, not "hub." in front`
	case (&Event{Type: in.Type, Key: in.Key}).check() != nil:
		return "key", "at most 256 bytes of UTF-8"
	case (&Event{Type: in.Type, Except: in.Except}).check() != nil:
		return "except", "a device or connection ID, at most 64 bytes"
	case in.Key == "":
		return "key", "give one: latest events and keyed definitions need it"
	}
	return "type", "Config.Classify knows no class for it"
}

func (a *admin) disconnect(w http.ResponseWriter, r *http.Request) (any, *problem) {
	var in struct {
		User   string `json:"user"`
		Reason string `json:"reason"`
	}
	if p := a.read(w, r, &in); p != nil {
		return nil, p
	}
	if err := checkUser(in.User); err != nil {
		return nil, a.problem(err, &sendRequest{User: in.User})
	}
	n := a.hub.Disconnect(in.User, in.Reason)
	a.hub.logger.Info("usercast: admin: disconnect", "user_id", in.User, "closed", n, "reason", clip(in.Reason), "remote", r.RemoteAddr)
	return struct {
		Closed int `json:"closed"`
	}{n}, nil
}

// refuse answers, and logs one refusal a second at most: anyone can cause them.
func (a *admin) refuse(w http.ResponseWriter, r *http.Request, p *problem) {
	now, next := a.hub.clock.mono(), a.nextLog.Load()
	if now >= next && a.nextLog.CompareAndSwap(next, now+int64(time.Second)) {
		a.hub.logger.Info("usercast: admin: refused", "status", p.status, "error", p.Err,
			"path", clip(r.URL.Path), "remote", r.RemoteAddr, "origin", clip(r.Header.Get("Origin")))
	}
	writeJSON(w, p.status, p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, _ := json.Marshal(v) // plain structs, maps and slices of this file
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

// statsJSON writes classes by their names; the other fields are those of Stats.
func statsJSON(s Stats) any {
	broadcasts := make(map[string]uint64, len(s.Broadcasts))
	for class, n := range s.Broadcasts {
		broadcasts[class.String()] = n
	}
	return struct {
		Stats
		Broadcasts map[string]uint64 // hides the one of Stats
	}{s, broadcasts}
}

func catalogJSON(c Catalog) any {
	type event struct {
		Name    string `json:"name"`
		Class   string `json:"class"`
		Keyed   bool   `json:"keyed"`
		Payload string `json:"payload"`
		Doc     string `json:"doc"`
		Source  string `json:"source"`
		Sent    uint64 `json:"sent"`
	}
	list := make([]event, 0, len(c))
	for _, d := range c {
		list = append(list, event{d.Name, d.Class.String(), d.Keyed, fmt.Sprint(d.Payload), d.Doc, d.Source, d.Sent})
	}
	return list
}
