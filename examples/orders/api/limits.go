package api

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// How many requests of one user there may be a second, and at once.
	userRate, userBurst = 100, 300
	// How many of them are answered at once: what a user's slow readers hold in memory.
	// The others wait, at most maxWait.
	userAtOnce = 8
	maxWait    = 10 * time.Second

	doorRate, doorBurst = 100, 300 // logins of everybody
	newRate, newBurst   = 2, 100   // users who come for the first time
)

// limits count requests. Users are those that have a token, of whom Config.MaxUsers bounds
// the number.
type limits struct {
	now             func() time.Time // tests stop it
	door, newcomers *rate.Limiter

	mu    sync.Mutex
	users map[string]*userLimits
}

// userLimits are those of one user.
type userLimits struct {
	requests *rate.Limiter
	atOnce   chan struct{}
	writing  chan struct{}
}

func newLimits() *limits {
	return &limits{
		now:       time.Now,
		door:      rate.NewLimiter(doorRate, doorBurst),
		newcomers: rate.NewLimiter(newRate, newBurst),
		users:     make(map[string]*userLimits),
	}
}

var errTooMany = &problem{http.StatusTooManyRequests, "too many requests", "", "wait a second, then try again"}

func (l *limits) of(user string) *userLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.users[user]
	if u == nil {
		u = &userLimits{rate.NewLimiter(userRate, userBurst), make(chan struct{}, userAtOnce), make(chan struct{}, 1)}
		l.users[user] = u
	}
	return u
}

// allow counts a request of a user.
func (l *limits) allow(user string) error {
	if !l.of(user).requests.AllowN(l.now(), 1) {
		return errTooMany
	}
	return nil
}

// enter counts a request of a user, and waits until few enough of the user's others are
// being answered. leave is to be called when this one has been.
func (l *limits) enter(ctx context.Context, user string) (leave func(), err error) {
	if err := l.allow(user); err != nil {
		return nil, err
	}
	return wait(ctx, l.of(user).atOnce)
}

// write waits until none of the user's other requests writes: nobody's burst of writes
// stands in line before everybody else's.
func (l *limits) write(ctx context.Context, user string) (done func(), err error) {
	return wait(ctx, l.of(user).writing)
}

// wait waits for one of a channel's places, in order.
func wait(ctx context.Context, places chan struct{}) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, errTooMany
	}
}

// allowLogin counts a login.
func (l *limits) allowLogin() error {
	if !l.door.AllowN(l.now(), 1) {
		return errTooMany
	}
	return nil
}

// allowNewcomer counts a user who is to be made.
func (l *limits) allowNewcomer() error {
	if !l.newcomers.AllowN(l.now(), 1) {
		return errTooMany
	}
	return nil
}
