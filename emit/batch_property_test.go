package emit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

// TestBatchProperty adds at random, and expects what a list for each user expects.
func TestBatchProperty(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 3))
		limit := 256 + rng.IntN(400)
		hub := newTestHub(t, usercast.Config{MaxEventBytes: limit, BufferSize: 100_000})
		to := tape{refuse: hub.Broadcast}
		maxIDs := 1 + rng.IntN(300)
		b := NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: limit, MaxIDs: maxIDs})
		var users []string              // the oracle: in order of their first ID
		model := map[string][]string{}  // what waits
		expect := map[string][]string{} // what must come
		held, lost := 0, 0
		flush := func() {
			before := len(to.all())
			err := b.Flush(&to)
			if (err != nil) != (lost > 0) {
				t.Fatalf("seed %d: got %v, want an error for %d IDs", seed, err, lost)
			}
			var order []string
			for _, ev := range to.all()[before:] {
				if len(order) == 0 || order[len(order)-1] != ev.user {
					order = append(order, ev.user)
				}
			}
			sent := slices.DeleteFunc(slices.Clone(users), func(u string) bool {
				return !slices.ContainsFunc(model[u], func(id string) bool { return len(id) < 300 })
			})
			if !slices.Equal(order, sent) {
				t.Fatalf("seed %d: users came as %v, want %v", seed, order, sent)
			}
			for _, u := range users {
				for _, id := range model[u] {
					if len(id) < 300 {
						expect[u] = append(expect[u], id)
					}
				}
			}
			users, model, held, lost = nil, map[string][]string{}, 0, 0
		}
		for range rng.IntN(60) {
			user := fmt.Sprint("u", rng.IntN(3))
			var add, fresh []string
			for range rng.IntN(20) {
				id := strings.Repeat("x", rng.IntN(30)) + fmt.Sprint(rng.IntN(100))
				if rng.IntN(200) == 0 {
					id = strings.Repeat("G", 700) // too large for any event
				}
				add = append(add, id)
				if !slices.Contains(model[user], id) && !slices.Contains(fresh, id) {
					fresh = append(fresh, id)
				}
			}
			err := b.Add(user, add...)
			if full := held+len(fresh) > maxIDs; full != errors.Is(err, ErrBatchFull) {
				t.Fatalf("seed %d: %d held, %d more, at most %d: got %v", seed, held, len(fresh), maxIDs, err)
			} else if full {
				flush()
				continue
			}
			if len(model[user]) == 0 && len(fresh) > 0 {
				users = append(users, user)
			}
			model[user] = append(model[user], fresh...)
			held += len(fresh)
			for _, id := range fresh {
				if len(id) > 300 {
					lost++
				}
			}
			if b.Len() != held {
				t.Fatalf("seed %d: got Len %d, want %d", seed, b.Len(), held)
			}
		}
		flush()
		got := map[string][]string{}
		for _, ev := range to.all() {
			var p batchOrders
			if err := json.Unmarshal([]byte(ev.json), &p); err != nil || p.Count != len(p.OrderIDs) || p.Count == 0 {
				t.Fatalf("seed %d: %s: %v", seed, ev.json, err)
			}
			got[ev.user] = append(got[ev.user], p.OrderIDs...)
		}
		for _, u := range []string{"u0", "u1", "u2"} {
			if !slices.Equal(got[u], expect[u]) {
				t.Fatalf("seed %d: %s: got %d IDs, want %d:\n%q\n%q", seed, u, len(got[u]), len(expect[u]), got[u], expect[u])
			}
		}
	}
}
