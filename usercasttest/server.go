package usercasttest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
	"github.com/usercast-go/usercast/internal/pipe"
)

// issuer is iss and aud of the kit's tokens.
const issuer = "usercasttest"

// tokenLife is how long the kit's tokens last, unless a test says otherwise.
const tokenLife = time.Hour

// A Server is a hub that is served from memory: no port, no network.
type Server struct {
	t      testing.TB
	cfg    usercast.Config
	secret []byte
	http   *http.Server
	pipes  *pipe.Listener
	leaks  leakCheck

	mu      sync.Mutex
	hub     *usercast.Hub
	devices []*Device
}

// NewServer makes a hub and serves it until the test ends; then devices and hub are
// shut down, and goroutines that they have left behind fail the test.
//
// The zero Config will do: Auth is by tokens that [Server.Token] signs, and the log
// goes to the test's, from warnings up. An invalid Config fails the test.
func NewServer(t testing.TB, cfg usercast.Config) *Server {
	t.Helper()
	s := &Server{t: t, secret: make([]byte, 32), pipes: pipe.Listen()}
	rand.Read(s.secret)
	s.leaks = newLeakCheck()
	s.cfg = s.complete(cfg)
	s.leaks.within(func() {
		s.hub = s.newHub()
		s.http = &http.Server{
			Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.Hub().ServeHTTP(w, r) }),
			ReadHeaderTimeout: patience,
			ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
		}
		go s.http.Serve(s.pipes)
	})
	t.Cleanup(s.close)
	return s
}

// complete fills in what a test need not say.
func (s *Server) complete(cfg usercast.Config) usercast.Config {
	s.t.Helper()
	if cfg.Auth == nil {
		auth, err := usercast.NewJWT(usercast.JWTConfig{
			Secret: s.secret, Methods: []string{"HS256"}, Issuer: issuer, Audience: issuer,
		})
		if err != nil {
			s.t.Fatalf("usercasttest: %v", err)
		}
		cfg.Auth = auth
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	classify := cfg.Classify
	if classify == nil {
		classify = usercast.DefaultClassify
	}
	cfg.Classify = func(ev usercast.Event) usercast.Class {
		if ev.Type == fenceType {
			return usercast.Transient
		}
		return classify(ev)
	}
	return cfg
}

func (s *Server) newHub() *usercast.Hub {
	s.t.Helper()
	hub, err := usercast.New(s.cfg)
	if err != nil {
		s.t.Fatalf("usercasttest: %v", err)
	}
	return hub
}

// Hub returns the hub: after [Server.Restart] another one than before.
func (s *Server) Hub() *usercast.Hub {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hub
}

// Broadcast implements [usercast.Broadcaster] by the hub that runs now: for code under
// test that is to outlive a [Server.Restart].
func (s *Server) Broadcast(userID string, ev usercast.Event) error {
	return s.Hub().Broadcast(userID, ev)
}

// Token signs a token for a user, good for an hour. It is of use only if the Config
// had no Auth of its own.
func (s *Server) Token(userID string) string { return s.TokenFor(userID, tokenLife) }

// TokenFor signs a token that ends after life; one that is negative has ended.
func (s *Server) TokenFor(userID string, life time.Duration) string {
	now := time.Now()
	if s.cfg.Now != nil {
		now = s.cfg.Now()
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": userID, "iss": issuer, "aud": issuer, "exp": now.Add(life).Unix(),
	}).SignedString(s.secret)
	if err != nil {
		s.t.Errorf("usercasttest: signing a token: %v", err) // cannot be: the key fits the method
	}
	return token
}

// ClientConfig returns a configuration by which a [client.Client] of the test's own
// reaches the server as a user: with tokens that are signed anew whenever one is
// asked for, and short delays between attempts.
func (s *Server) ClientConfig(userID string) client.Config {
	return client.Config{
		URL:        "ws://usercasttest/",
		Token:      func(context.Context, client.TokenReason) (string, error) { return s.Token(userID), nil },
		Dial:       func(ctx context.Context) (net.Conn, error) { return s.pipes.Dial(ctx) },
		MinBackoff: 10 * time.Millisecond,
		MaxBackoff: time.Second,
		Logger:     s.cfg.Logger,
	}
}

// Restart shuts the hub down, as a deployment does, and serves another one with an epoch
// of its own: all that the old one knew is lost, and devices that come back are told
// by a gap. Devices spread their return over a second.
func (s *Server) Restart() {
	s.t.Helper()
	s.mu.Lock()
	old := s.hub
	s.leaks.within(func() { s.hub = s.newHub() })
	s.mu.Unlock()
	s.shutdown(old)
}

func (s *Server) shutdown(hub *usercast.Hub) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := hub.Shutdown(ctx); err != nil {
		s.t.Errorf("usercasttest: Shutdown: %v", err)
	}
}

// close ends everything, devices first.
func (s *Server) close() {
	s.t.Helper()
	s.mu.Lock()
	devices := s.devices
	s.devices = nil
	s.mu.Unlock()
	for _, d := range devices {
		d.Close()
	}
	s.shutdown(s.Hub())
	s.http.Close()
	if left := s.leaks.wait(); left != "" {
		s.t.Errorf("usercasttest: goroutines are left over, of the hub or of its callbacks:\n%s", left)
	}
}
