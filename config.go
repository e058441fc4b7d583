package usercast

import (
	"fmt"
	"log/slog"
	"math"
	"time"
)

const (
	defaultBufferSize      = 200
	defaultBufferTTL       = 5 * time.Minute
	defaultMaxEventBytes   = 64 << 10
	defaultMaxBufferBytes  = 256 << 20
	defaultMaxConnsPerUser = 20
	defaultPingInterval    = 30 * time.Second
	defaultPongTimeout     = 10 * time.Second
	defaultWriteTimeout    = 4 * time.Second

	// maxWriteTimeout is below the 5 s that coder/websocket gives its own pongs,
	// which wait for the same lock and would drop the connection.
	maxWriteTimeout = 4900 * time.Millisecond
	maxMaxEvent     = 16 << 20
)

func configError(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrInvalidConfig, field, fmt.Sprintf(format, args...))
}

// normalise fills in defaults and checks every field. It works on a copy.
func (cfg Config) normalise() (Config, error) {
	if cfg.Auth == nil {
		return cfg, configError("Config.Auth", "missing; NewJWT makes one, or wrap your sessions in an AuthenticatorFunc")
	}
	var err error
	check := func(field string, value *int, def, low, high int) {
		if *value == 0 {
			*value = def
		}
		if err == nil && (*value < low || *value > high) {
			err = configError("Config."+field, "%d, want %d to %d, or 0 for %d", *value, low, high, def)
		}
	}
	duration := func(field string, value *time.Duration, def, low, high time.Duration) {
		if *value == 0 {
			*value = def
		}
		if err == nil && (*value < low || *value > high) {
			err = configError("Config."+field, "%v, want %v to %v, or 0 for %v", *value, low, high, def)
		}
	}
	check("BufferSize", &cfg.BufferSize, defaultBufferSize, 1, 100_000)
	check("MaxEventBytes", &cfg.MaxEventBytes, defaultMaxEventBytes, 256, maxMaxEvent)
	check("MaxConns", &cfg.MaxConns, 0, 0, math.MaxInt32)
	check("MaxConnsPerUser", &cfg.MaxConnsPerUser, defaultMaxConnsPerUser, 1, 10_000)
	duration("BufferTTL", &cfg.BufferTTL, defaultBufferTTL, time.Millisecond, 7*24*time.Hour)
	duration("PingInterval", &cfg.PingInterval, defaultPingInterval, time.Second, time.Hour)
	duration("PongTimeout", &cfg.PongTimeout, defaultPongTimeout, tickEvery, time.Hour)
	duration("WriteTimeout", &cfg.WriteTimeout, defaultWriteTimeout, 10*time.Millisecond, maxWriteTimeout)
	if cfg.MaxBufferBytes == 0 {
		cfg.MaxBufferBytes = defaultMaxBufferBytes
	}
	if err == nil && cfg.MaxBufferBytes < int64(cfg.MaxEventBytes) {
		err = configError("Config.MaxBufferBytes", "%d, less than one event of Config.MaxEventBytes (%d)", cfg.MaxBufferBytes, cfg.MaxEventBytes)
	}
	if cfg.Classify == nil {
		cfg.Classify = DefaultClassify
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg, err
}

// parseOrigins checks Config.OriginPatterns.
func parseOrigins(patterns []string) ([]originPattern, error) {
	var out []originPattern
	for _, s := range patterns {
		p, problem := parseOriginPattern(s)
		if problem != "" {
			return nil, configError("Config.OriginPatterns", "%q: %s", s, problem)
		}
		out = append(out, p)
	}
	return out, nil
}
