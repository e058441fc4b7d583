package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// AddUser makes a user, unless there is one of that name. It says whether it did.
func AddUser(ctx context.Context, q Querier, name string) (bool, error) {
	n, err := exec(ctx, q, `INSERT INTO users (name, created_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, now().UnixMicro())
	return n > 0, err
}

// Users returns how many there are.
func Users(ctx context.Context, q Querier) (int, error) {
	return count(ctx, q, `SELECT count(*) FROM users`)
}

// AddSession makes a session that lasts for life and returns its secret, for a cookie.
// The user's oldest beyond [MaxSessions] end.
func AddSession(ctx context.Context, q Querier, user string, life time.Duration) (secret string, err error) {
	secret = rand.Text()
	at := now()
	if _, err = exec(ctx, q, `DELETE FROM sessions WHERE user_name = $1 AND (expires_at <= $2 OR id IN
		(SELECT id FROM sessions WHERE user_name = $1 ORDER BY created_at DESC LIMIT 1000 OFFSET $3))`,
		user, at.UnixMicro(), MaxSessions-1); err != nil {
		return "", err
	}
	_, err = exec(ctx, q, `INSERT INTO sessions (id, user_name, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
		SessionID(secret), user, at.UnixMicro(), at.Add(life).UnixMicro())
	return secret, err
}

// SessionUser returns whose session an ID is. The error wraps [ErrNotFound], also when the
// session has ended.
func SessionUser(ctx context.Context, q Querier, id string) (string, error) {
	return one(ctx, q, scanID, `SELECT user_name FROM sessions WHERE id = $1 AND expires_at > $2`, id, now().UnixMicro())
}

// EndSession ends a session, if there is one.
func EndSession(ctx context.Context, q Querier, id string) error {
	_, err := exec(ctx, q, `DELETE FROM sessions WHERE id = $1`, id)
	return err
}

// SessionID returns the ID of the session that a secret is for: a hash, which the table and
// tokens have instead of it.
func SessionID(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Setting returns what is kept under a name, or keeps the value that is given and
// returns that. Of several processes that do so at once all get the same.
func Setting(ctx context.Context, q Querier, name, value string) (string, error) {
	if _, err := exec(ctx, q, `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value); err != nil {
		return "", err
	}
	return one(ctx, q, scanID, `SELECT value FROM settings WHERE name = $1`, name)
}
