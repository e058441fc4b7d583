package client

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/usercast-go/usercast"
)

const (
	defaultMinBackoff     = time.Second
	defaultMaxBackoff     = 30 * time.Second
	defaultConnectTimeout = 10 * time.Second

	// maxEventBytes is the most that a hub can be configured to send.
	maxEventBytes    = 16 << 20
	minMaxEventBytes = 4 << 10
)

// Config configures a [Client]. The zero value of every field but URL is usable.
//
// All callbacks but Token and Dial run in the goroutine that called Run, one at a
// time, and no lock is held meanwhile. A panic in one of them goes to OnError and
// changes nothing else.
type Config struct {
	// URL is the hub's address: ws, wss, http or https. Required. Its query is kept.
	URL string
	// Token returns the token, which goes into the Authorization header; reason says why
	// it is asked. nil: no token; Header may say who this is. An error is reported and
	// the attempt fails, to be tried again after the backoff; [ErrUnauthorized],
	// wrapped or not, stops the client.
	//
	// It runs in one goroutine at a time, which is not always Run's. It must return
	// when ctx ends: for an attempt that is after ConnectTimeout, and Run does not
	// return before it has.
	Token func(ctx context.Context, reason TokenReason) (string, error)
	// Header is sent with every handshake. A token replaces its Authorization.
	Header http.Header
	// Device names this client for usercast.Event.Except: at most 64 of A-Za-z0-9_-.
	// "": a random one; see [Client.Device].
	Device string

	// Cursor is where to begin: what SaveCursor was given last, or the hub's Cursor
	// from before the data was read that this client starts with. Zero: with what
	// happens from now on. A cursor that makes no sense is a gap.
	Cursor usercast.Cursor
	// SaveCursor keeps the cursor. It is called when all that has come is handled, at
	// most a second later in a burst that does not end, and when a connection ends. It
	// never passes a gap that is untold. A process that dies before it is called is sent
	// again, at its next start, what its handlers have seen since. An error goes to
	// OnError. nil: the cursor lives as long as the client.
	SaveCursor func(usercast.Cursor) error

	// MinBackoff bounds the first delay between attempts: it is a random part of it,
	// from nothing to all. The bound doubles with every attempt. 0: 1 s.
	MinBackoff time.Duration
	// MaxBackoff is where it stops doubling. 0: 30 s, or MinBackoff if that is more.
	MaxBackoff time.Duration
	// ConnectTimeout bounds an attempt, from the call of Token to hub.hello. 0: 10 s.
	ConnectTimeout time.Duration
	// MaxEventBytes bounds an event's JSON. A larger one is skipped and reported to
	// OnError. 0: 16 MiB, the most that a hub can send; at least 4 KiB, into which the
	// hub's own messages must fit.
	MaxEventBytes int

	// HTTPClient makes the handshake, with its proxy, TLS configuration and cookies.
	// nil: one like [http.DefaultClient] that keeps no idle connections and follows no
	// redirects, for these would carry Header to wherever they point.
	HTTPClient *http.Client
	// Dial opens the byte stream in HTTPClient's place: a pipe in a test, a Unix
	// socket. With wss or https in the URL, TLS goes on top. It runs in Run's
	// goroutine and must return when ctx ends.
	Dial func(ctx context.Context) (net.Conn, error)

	// OnState is called after each change of [Client.State].
	OnState func(State)
	// OnConnect is called on every connection, before any of its events.
	OnConnect func(Hello)
	// OnGap is called when events are missing and state must be fetched anew: after
	// hub.live, once per connect, and again whenever a connection was too slow. A gap
	// is told even if the connection that brought it has ended before hub.live: after
	// the next one's. The cursor passes the gap when OnGap has returned.
	OnGap func(Gap)
	// OnError hears what is nobody's return value: errors of Token and SaveCursor,
	// panics of callbacks and handlers, payloads and frames that are not understood.
	// That a connection was lost is no error: see State.Reason. nil: Logger.
	OnError func(error)
	// Logger gets the client's log. nil: [slog.Default]. No token is ever logged.
	Logger *slog.Logger
}

func configError(field, format string, args ...any) error {
	return fmt.Errorf("%w: Config.%s: %s", ErrInvalidConfig, field, fmt.Sprintf(format, args...))
}

// normalise fills in defaults and checks every field. It works on a copy.
func (cfg Config) normalise() (Config, *url.URL, error) {
	u, err := parseURL(cfg.URL)
	duration := func(field string, value *time.Duration, def, low, high time.Duration) {
		if *value == 0 {
			*value = def
		}
		if err == nil && (*value < low || *value > high) {
			err = configError(field, "%v, want %v to %v, or 0 for %v", *value, low, high, def)
		}
	}
	duration("MinBackoff", &cfg.MinBackoff, defaultMinBackoff, time.Millisecond, time.Hour)
	duration("MaxBackoff", &cfg.MaxBackoff, max(defaultMaxBackoff, cfg.MinBackoff), cfg.MinBackoff, 24*time.Hour)
	duration("ConnectTimeout", &cfg.ConnectTimeout, defaultConnectTimeout, 10*time.Millisecond, time.Hour)
	if cfg.MaxEventBytes == 0 {
		cfg.MaxEventBytes = maxEventBytes
	}
	switch {
	case err != nil:
	case cfg.MaxEventBytes < minMaxEventBytes || cfg.MaxEventBytes > maxEventBytes:
		err = configError("MaxEventBytes", "%d, want %d to %d, or 0 for %d", cfg.MaxEventBytes, minMaxEventBytes, maxEventBytes, maxEventBytes)
	case !validDevice(cfg.Device):
		err = configError("Device", "%q, want at most %d of A-Z a-z 0-9 _ -", cfg.Device, usercast.MaxDeviceBytes)
	case cfg.HTTPClient != nil && cfg.Dial != nil:
		err = configError("Dial", "set beside HTTPClient, whose Transport does the dialling: leave one of them nil")
	}
	if cfg.Device == "" {
		cfg.Device = newDevice()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	cfg.Header = cfg.Header.Clone()
	return cfg, u, err
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return nil, configError("URL", "missing; want the hub's address, wss://host/path")
	case err != nil: // its text quotes the URL, where a token may stand
		return nil, configError("URL", "it does not parse")
	case u.Host == "":
		return nil, configError("URL", "no host, want wss://host/path")
	case u.User != nil:
		return nil, configError("URL", "it carries a password, which would reach logs: use Token or Header")
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	case "http", "https":
	default:
		return nil, configError("URL", "scheme %q, want ws, wss, http or https", u.Scheme)
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

func validDevice(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-') {
			return false
		}
	}
	return len(s) <= usercast.MaxDeviceBytes
}

// newDevice returns 96 random bits.
func newDevice() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
