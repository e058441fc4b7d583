package usercast

import (
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestConfigDefaults(t *testing.T) {
	cfg, err := Config{Auth: userAuth}.normalise()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ got, want any }{
		"BufferSize":      {cfg.BufferSize, 200},
		"BufferTTL":       {cfg.BufferTTL, 5 * time.Minute},
		"MaxEventBytes":   {cfg.MaxEventBytes, 64 << 10},
		"MaxBufferBytes":  {cfg.MaxBufferBytes, int64(256 << 20)},
		"MaxConns":        {cfg.MaxConns, 0},
		"MaxConnsPerUser": {cfg.MaxConnsPerUser, 20},
		"PingInterval":    {cfg.PingInterval, 30 * time.Second},
		"PongTimeout":     {cfg.PongTimeout, 10 * time.Second},
		"WriteTimeout":    {cfg.WriteTimeout, 4 * time.Second},
		"Logger":          {cfg.Logger, slog.Default()},
		"Classify":        {cfg.Classify(ev("A_PROGRESS", nil)), Transient},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", name, c.got, c.want)
		}
	}
}

// The defaults and the caller's own values arrive where clients see them.
func TestConfigReachesHello(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want helloIn
	}{
		"defaults": {Config{}, helloIn{HeartbeatMs: 25_000, BufferSize: 200, BufferTTLMs: 300_000}},
		"own":      {Config{PingInterval: 12 * time.Second, BufferSize: 7, BufferTTL: time.Second}, helloIn{HeartbeatMs: 10_000, BufferSize: 7, BufferTTLMs: 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := newSite(t, c.cfg).dial("user=alice").hello
				if got := (helloIn{HeartbeatMs: got.HeartbeatMs, BufferSize: got.BufferSize, BufferTTLMs: got.BufferTTLMs}); got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
			})
		})
	}
}

// Each field at both ends of its range, and one beyond.
func TestConfigRanges(t *testing.T) {
	for field, c := range map[string]struct {
		set       func(*Config, int64)
		low, high int64
	}{
		"BufferSize":      {func(c *Config, v int64) { c.BufferSize = int(v) }, 1, 100_000},
		"MaxEventBytes":   {func(c *Config, v int64) { c.MaxEventBytes = int(v) }, 256, 16 << 20},
		"MaxBufferBytes":  {func(c *Config, v int64) { c.MaxBufferBytes = v }, defaultMaxEventBytes, math.MaxInt64},
		"MaxConns":        {func(c *Config, v int64) { c.MaxConns = int(v) }, 0, math.MaxInt32},
		"MaxConnsPerUser": {func(c *Config, v int64) { c.MaxConnsPerUser = int(v) }, 1, 10_000},
		"BufferTTL":       {func(c *Config, v int64) { c.BufferTTL = time.Duration(v) }, int64(time.Millisecond), int64(7 * 24 * time.Hour)},
		"PingInterval":    {func(c *Config, v int64) { c.PingInterval = time.Duration(v) }, int64(time.Second), int64(time.Hour)},
		"PongTimeout":     {func(c *Config, v int64) { c.PongTimeout = time.Duration(v) }, int64(tickEvery), int64(time.Hour)},
		"WriteTimeout":    {func(c *Config, v int64) { c.WriteTimeout = time.Duration(v) }, int64(10 * time.Millisecond), int64(maxWriteTimeout)},
	} {
		try := func(v int64) error {
			cfg := Config{Auth: userAuth}
			c.set(&cfg, v)
			_, err := cfg.normalise()
			return err
		}
		good, bad := []int64{0, c.low, c.high}, []int64{-1, math.MinInt64}
		if c.low > 1 {
			bad = append(bad, c.low-1)
		}
		if c.high < math.MaxInt64 {
			bad = append(bad, c.high+1, math.MaxInt64)
		}
		for _, v := range good {
			if err := try(v); err != nil {
				t.Errorf("%s %d: got %v, want no error", field, v, err)
			}
		}
		for _, v := range bad {
			if err := try(v); !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), "Config."+field+": ") {
				t.Errorf("%s %d: got %v, want ErrInvalidConfig that names Config.%s", field, v, err, field)
			}
		}
	}
}

func TestNewRefusesConfig(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   Config
		names string
	}{
		"nothing":        {Config{}, "Config.Auth"},
		"no Auth":        {Config{BufferSize: -1}, "Config.Auth"},
		"BufferSize":     {Config{Auth: userAuth, BufferSize: -1}, "Config.BufferSize"},
		"WriteTimeout":   {Config{Auth: userAuth, WriteTimeout: 5 * time.Second}, "Config.WriteTimeout"},
		"OriginPatterns": {Config{Auth: userAuth, OriginPatterns: []string{"example.com", "*"}}, `Config.OriginPatterns: "*"`},
		"one big event":  {Config{Auth: userAuth, MaxEventBytes: 2 << 20, MaxBufferBytes: 1 << 20}, "Config.MaxBufferBytes"},
		"the first of 2": {Config{Auth: userAuth, BufferSize: -1, PongTimeout: 1}, "Config.BufferSize"},
	} {
		h, err := New(c.cfg)
		if h != nil || !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: got %v and %v, want ErrInvalidConfig that names %s", name, h, err, c.names)
		}
	}
}

// A caller may reuse what it passed in.
func TestNewCopiesOriginPatterns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		patterns := []string{"partner.example"}
		s := newSite(t, Config{OriginPatterns: patterns})
		patterns[0] = "evil.example"
		s.dial("user=alice", "Origin: https://partner.example")
		if d, err := s.open("user=alice", "Origin: https://evil.example"); err != nil || d.resp.StatusCode != 403 {
			t.Errorf("evil.example: got %v and %v, want 403", d.resp, err)
		}
	})
}
