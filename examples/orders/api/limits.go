package api

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// How many requests there may be a second, and at once.
const (
	userRate, userBurst = 100, 300 // of one user
	doorRate, doorBurst = 100, 300 // logins, renewals and logouts of everybody
)

// limits count requests. Users are those that have a token, of whom Config.MaxUsers bounds
// the number.
type limits struct {
	door *rate.Limiter

	mu    sync.Mutex
	users map[string]*rate.Limiter
}

func newLimits() *limits {
	return &limits{door: rate.NewLimiter(doorRate, doorBurst), users: make(map[string]*rate.Limiter)}
}

var errTooMany = &problem{http.StatusTooManyRequests, "too many requests", "", "wait a second, then try again"}

// allow counts a request of a user.
func (l *limits) allow(user string) error {
	l.mu.Lock()
	limiter := l.users[user]
	if limiter == nil {
		limiter = rate.NewLimiter(userRate, userBurst)
		l.users[user] = limiter
	}
	l.mu.Unlock()
	if !limiter.Allow() {
		return errTooMany
	}
	return nil
}

// allowDoor counts a request of somebody who has no token yet.
func (l *limits) allowDoor() error {
	if !l.door.Allow() {
		return errTooMany
	}
	return nil
}
