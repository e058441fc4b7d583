package usercast

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// A refusal is one way to say no: as HTTP status before the upgrade, or as close
// code after it, for browsers cannot see the status of a failed upgrade.
type refusal struct {
	name   string // in Stats.Refused
	status int
	code   int // 0: always by HTTP
}

var (
	refusedUpgrade     = &refusal{name: "upgrade", status: http.StatusUpgradeRequired}
	refusedOrigin      = &refusal{name: "origin", status: http.StatusForbidden}
	refusedRequest     = &refusal{name: "request", status: http.StatusBadRequest, code: ClosePolicy}
	refusedToken       = &refusal{name: "token", status: http.StatusUnauthorized, code: CloseUnauthorized}
	refusedRevoked     = &refusal{name: "revoked", status: http.StatusForbidden, code: CloseRevoked}
	refusedFull        = &refusal{name: "full", status: http.StatusTooManyRequests, code: CloseHubFull}
	refusedShutdown    = &refusal{name: "shutdown", status: http.StatusServiceUnavailable, code: CloseRestarting}
	refusedUnavailable = &refusal{name: "unavailable", status: http.StatusServiceUnavailable, code: closeTryAgain}
	refusedPanic       = &refusal{name: "panic", status: http.StatusInternalServerError, code: CloseInternal}
	refusedHijack      = &refusal{name: "hijack", status: http.StatusInternalServerError}
)

// closeTryAgain is registered with IANA as "Try Again Later".
const closeTryAgain = 1013

// refusals lists them all, for counters.
var refusals = [...]*refusal{refusedUpgrade, refusedOrigin, refusedRequest, refusedToken,
	refusedRevoked, refusedFull, refusedShutdown, refusedUnavailable, refusedPanic, refusedHijack}

// maxGoodbyes bounds how many refused clients may be told by close code at once:
// each keeps its socket until it has answered. Beyond it, HTTP must do.
const maxGoodbyes = 512

// refuse answers the request.
func (hs *handshake) refuse(why *refusal, detail string) {
	hs.count(why, detail)
	h := hs.hub
	if hs.v1 && why.code != 0 {
		if h.goodbyes.Add(1) <= maxGoodbyes {
			defer h.goodbyes.Add(-1)
			if c, err := hs.upgrade(); err == nil {
				sayGoodbye(c.wire, c.ws, why.code, detail)
				return
			} else if !errors.Is(err, http.ErrNotSupported) {
				why, detail = refusedRequest, err.Error()
			}
		} else {
			h.goodbyes.Add(-1)
		}
	}
	hs.refuseHTTP(why, detail)
}

func (hs *handshake) refuseHTTP(why *refusal, detail string) {
	header := hs.w.Header()
	switch why {
	case refusedUpgrade:
		header.Set("Connection", "Upgrade")
		header.Set("Upgrade", "websocket")
	case refusedToken:
		header.Set("WWW-Authenticate", "Bearer")
	case refusedShutdown, refusedUnavailable, refusedFull:
		header.Set("Retry-After", strconv.Itoa(int(hs.hub.spread()/time.Second)))
	}
	header.Del("Sec-WebSocket-Accept")
	header.Del("Sec-WebSocket-Protocol")
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	body, _ := json.Marshal(struct {
		Error string `json:"error"`
		Code  int    `json:"code,omitempty"`
	}{detail, why.code})
	hs.w.WriteHeader(why.status)
	hs.w.Write(append(body, '\n'))
}

// sayGoodbye closes a connection that never was one. It returns when the peer has
// answered, or after a second.
func sayGoodbye(w *wire, ws *websocket.Conn, code int, reason string) {
	w.hasten()
	w.Write(closeFrame(code, reason))
	w.halfClose(time.Second)
	w.discard(64<<10, time.Second)
	ws.CloseNow()
}

// count counts a refusal and logs it, but not more than one a second of each
// kind: anyone can cause them.
func (hs *handshake) count(why *refusal, detail string) {
	h := hs.hub
	h.stats.refusal(why)
	if !h.stats.firstThisSecond(why, h.clock.mono()) {
		return
	}
	h.logger.Info("usercast: handshake refused", "reason", why.name, "detail", detail,
		"status", why.status, "code", why.code, "user_id", clip(hs.id.UserID),
		"remote", hs.r.RemoteAddr, "origin", clip(hs.r.Header.Get("Origin")))
}

// clip bounds what a stranger can write into a log line.
func clip(s string) string {
	if len(s) > 256 {
		return strings.ToValidUTF8(s[:256], "") + "…"
	}
	return s
}

// logAuth logs an Authenticator's error with the request's credentials blotted out:
// a caller's own Authenticator may quote them.
func (h *Hub) logAuth(r *http.Request, err error) {
	if !h.logger.Enabled(r.Context(), slog.LevelDebug) {
		return // strangers cause this as often as they like
	}
	h.logger.Debug("usercast: authentication failed", "error", clip(blot(err.Error(), credentialsOf(r).secrets())), "remote", r.RemoteAddr)
}

// blot hides secrets in a text, the longest first: one may be a part of another.
func blot(text string, secrets []string) string {
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[token]")
		}
	}
	return text
}

// credentials are the parts of a request in which a secret may stand. They are taken
// before an Authenticator sees the request, which may remove them from it, and at
// every handshake, so taking them costs nothing.
type credentials struct {
	authorization, protocols, cookies []string
	query                             string
}

func credentialsOf(r *http.Request) credentials {
	return credentials{r.Header["Authorization"], r.Header["Sec-Websocket-Protocol"], r.Header["Cookie"], r.URL.RawQuery}
}

// secrets returns whatever in them may be one, as it stands there and as it may be quoted.
func (c credentials) secrets() (secrets []string) {
	r := &http.Request{
		Header: http.Header{"Authorization": c.authorization, "Sec-Websocket-Protocol": c.protocols, "Cookie": c.cookies},
		URL:    &url.URL{RawQuery: c.query},
	}
	add := func(s string) {
		if len(s) >= 8 { // shorter would blot out ordinary words, and is no secret
			secrets = append(secrets, s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(strconv.Quote(s), `"`))
		}
	}
	add(r.Header.Get("Authorization"))
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	add(token)
	subprotocols(r.Header, func(p string) bool {
		if bearer, ok := strings.CutPrefix(p, protocolBearer); ok {
			add(bearer)
		}
		return true
	})
	if token, _, err := (tokenSource{}).find(r); err == nil {
		add(token) // the subprotocol's, decoded
	}
	for name, values := range r.URL.Query() {
		if name != "device" && name != "epoch" {
			for _, v := range values {
				add(v)
			}
		}
	}
	for _, c := range r.Cookies() {
		add(c.Value)
	}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		add(value) // as the client had escaped it
	}
	add(r.URL.RawQuery)
	return secrets
}
