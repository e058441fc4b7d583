package serve

import "sync"

// Index is the map from users to their connections that the peers without one of their own need.
// Its methods may be called from several goroutines.
type Index[C comparable] struct {
	mu    sync.RWMutex // guards all below
	users map[string][]C
	conns int
}

// Add registers a connection of the user.
func (x *Index[C]) Add(user string, c C) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.users == nil {
		x.users = map[string][]C{}
	}
	x.users[user] = append(x.users[user], c)
	x.conns++
}

// Remove takes a connection out; one that is not there is ignored.
func (x *Index[C]) Remove(user string, c C) {
	x.mu.Lock()
	defer x.mu.Unlock()
	conns := x.users[user]
	for i := range conns {
		if conns[i] == c {
			x.conns--
			if len(conns) == 1 {
				delete(x.users, user)
				return
			}
			conns[i] = conns[len(conns)-1]
			x.users[user] = conns[:len(conns)-1]
			return
		}
	}
}

// Each calls do with every connection of the user, under the lock: do must not block.
func (x *Index[C]) Each(user string, do func(C)) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, c := range x.users[user] {
		do(c)
	}
}

// Len counts the connections of all users.
func (x *Index[C]) Len() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.conns
}
