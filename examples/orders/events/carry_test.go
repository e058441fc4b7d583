package events

import (
	"fmt"
	"strings"
	"testing"
)

func TestPendingChange(t *testing.T) {
	rows := func(n, bytes int) (out []PendingOrder) {
		for i := range n {
			out = append(out, PendingOrder{ID: fmt.Sprint("o", i), Note: strings.Repeat("x", bytes)})
		}
		return out
	}
	for _, test := range []struct {
		n, bytes int
		carried  bool
	}{{1, 10, true}, {MaxRows, 100, true}, {MaxRows + 1, 0, false}, {MaxRows, 4000, false}, {0, 0, false}} {
		p := PendingChange(rows(test.n, test.bytes))
		if p.Count != test.n || len(p.OrderIDs) != test.n || p.OrderIDs == nil {
			t.Errorf("%d rows of %d bytes: got %d IDs, count %d", test.n, test.bytes, len(p.OrderIDs), p.Count)
		}
		if got := p.Orders != nil; got != test.carried {
			t.Errorf("%d rows of %d bytes: carried is %v, want %v", test.n, test.bytes, got, test.carried)
		}
	}
}
