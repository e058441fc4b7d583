package emit

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/usercast-go/usercast"
)

// batchOrders is a payload as applications have it.
type batchOrders struct {
	OrderIDs []string `json:"orderIds"`
	Count    int      `json:"count"`
}

var (
	batchCreated  = usercast.Define[batchOrders]("TEST_BATCH_CREATED", usercast.Buffered)
	batchKeyed    = usercast.DefineKeyed("TEST_BATCH_KEYED", usercast.Buffered, func(p batchOrders) string { return "first:" + p.OrderIDs[0] })
	batchLatest   = usercast.DefineKeyed("TEST_BATCH_LATEST", usercast.Latest, func(batchOrders) string { return "k" })
	batchNumbered = usercast.Define[[]int]("TEST_BATCH_NUMBERED", usercast.Transient)
)

func ordersOf(ids []string) batchOrders { return batchOrders{ids, len(ids)} }

// ids makes n IDs of a width.
func ids(n, width int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%0*d", width, i))
	}
	return list
}

func TestBatchIsOneEventForEachUser(t *testing.T) {
	var to tape
	b := NewBatch(batchCreated.Except("phone"), ordersOf, BatchConfig{})
	fifty := ids(50, 3)
	for i, id := range fifty {
		if err := b.Add("ann", id); err != nil {
			t.Fatal(err)
		}
		b.Add("ann", fifty[i/2]) // seen before
		if i < 2 {
			b.Add("bob", id, id)
		}
	}
	b.Add("eve") // nothing
	if got := b.Len(); got != 52 {
		t.Errorf("got Len %d, want 52", got)
	}
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(ordersOf(fifty))
	got := to.all()
	if len(got) != 2 || got[0].user != "ann" || got[0].json != string(want) ||
		got[1].user != "bob" || got[1].json != `{"orderIds":["000","001"],"count":2}` {
		t.Fatalf("got %+v", got)
	}
	for _, ev := range got {
		if ev.Type != "TEST_BATCH_CREATED" || ev.Except != "phone" {
			t.Errorf("got %+v", ev)
		}
	}

	// The batch is empty now, and fit for use again: what was sent is news once more.
	if err := b.Flush(&to); err != nil || b.Len() != 0 || len(to.all()) != 2 {
		t.Errorf("empty: got %v, Len %d and %d events", err, b.Len(), len(to.all()))
	}
	b.Add("ann", "000")
	b.Discard()
	b.Add("ann", "001", "000")
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	if got := to.all(); len(got) != 3 || got[2].json != `{"orderIds":["001","000"],"count":2}` {
		t.Errorf("again: got %+v", got[2:])
	}
}

func TestBatchSplitsByRealSize(t *testing.T) {
	for _, test := range []struct {
		n, width, limit, want int
	}{
		// Beside the payload a frame of this type has 126 bytes, and beside
		// the IDs a payload has 25 or so; an ID has 3 more than its width.
		{1000, 26, 0, 1},
		{2218, 26, 0, 1}, // 64,322 + 154 bytes, and 63 KiB are 64,512
		{2220, 26, 0, 2},
		{10_000, 26, 0, 5},  // 290,000 / 64,512 = 4.5
		{100, 10, 1024, 2},  // 1,300 bytes, in less than 900 each
		{100, 10, 256, 13},  // 8 fit one event
		{3, 60, 256, 3},     // one fits
		{3, 40, 256, 2},     // two fit
		{5000, 100, 512, 0}, // three fit
	} {
		cfg := BatchConfig{MaxEventBytes: test.limit}
		hubCfg := usercast.Config{MaxEventBytes: test.limit, BufferSize: 100_000}
		if test.limit == 0 {
			test.limit = defaultBatchBytes
		}
		hub := newTestHub(t, hubCfg)
		to := tape{refuse: hub.Broadcast} // what the hub refuses is an error here
		b := NewBatch(batchCreated, ordersOf, cfg)
		all := ids(test.n, test.width)
		if err := errors.Join(b.Add("ann", all...), b.Flush(&to)); err != nil {
			t.Errorf("%+v: %v", test, err)
			continue
		}
		got := to.all()
		var back []string
		for _, ev := range got {
			var p batchOrders
			if err := json.Unmarshal([]byte(ev.json), &p); err != nil || p.Count != len(p.OrderIDs) {
				t.Fatalf("got %s, %v", ev.json, err)
			}
			back = append(back, p.OrderIDs...)
		}
		if !slices.Equal(back, all) {
			t.Errorf("%+v: %d IDs of %d came, or in another order", test, len(back), len(all))
		}
		fit := (test.limit - 126 - 25) / (test.width + 3)
		least := (test.n + fit - 1) / fit
		if test.want != 0 && len(got) != test.want || len(got) > least+least/10+1 {
			t.Errorf("%+v: got %d events, %d are needed", test, len(got), least)
		}
	}
}

// The size by which a batch is split is what a hub counts, or more by a few bytes.
func TestFrameBytesIsWhatTheHubCounts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		key := strings.Repeat(string(rune(rng.IntN(300)+1)), rng.IntN(40))
		ev := usercast.Event{
			Type:    "T" + strings.Repeat("X", rng.IntN(100)),
			Payload: strings.Repeat("x", 200+rng.IntN(500)),
			Key:     key,
		}
		frozen, err := ev.Freeze()
		if err != nil {
			t.Fatal(err)
		}
		n := frameBytes(frozen)
		cfg := usercast.Config{MaxEventBytes: n, Classify: func(usercast.Event) usercast.Class { return usercast.Transient }}
		if err := newTestHub(t, cfg).BroadcastAll(t.Context(), ev); err != nil {
			t.Fatalf("%d: key %q: %v", i, key, err)
		}
		if strings.ContainsAny(key, "<>&") {
			continue // we count their escapes, and a hub does without
		}
		cfg.MaxEventBytes = n - len(`"key":"",`) - 1
		wantErr(t, newTestHub(t, cfg).BroadcastAll(t.Context(), ev), usercast.ErrTooLarge)
	}
}

func TestBatchLosesOnlyWhatCannotGo(t *testing.T) {
	var to tape
	b := NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: 512})
	giant, poison := strings.Repeat("g", 600), "bad\xff"
	all := ids(100, 10)
	b.Add("ann", all[:30]...)
	b.Add("ann", giant)
	b.Add("ann", all[30:60]...)
	b.Add("ann", poison)
	b.Add("ann", all[60:]...)
	b.Add("bob", "1")
	err := b.Flush(&to)
	wantErr(t, err, usercast.ErrTooLarge, `user "ann" to ggg`, "at most 512")
	wantErr(t, err, usercast.ErrPayload, "bad", "not UTF-8")
	if len(err.Error()) > 1000 {
		t.Errorf("got an error of %d bytes", len(err.Error()))
	}
	var back []string
	for _, ev := range to.all() {
		if ev.user == "ann" {
			var p batchOrders
			json.Unmarshal([]byte(ev.json), &p)
			back = append(back, p.OrderIDs...)
		}
	}
	if !slices.Equal(back, all) {
		t.Errorf("got %d IDs, want the %d that can go, in order: %q", len(back), len(all), back)
	}
	if last := to.all()[len(to.all())-1]; last.user != "bob" || b.Len() != 0 {
		t.Errorf("got %+v last and Len %d, want bob's and 0", last, b.Len())
	}
}

// How many IDs fit an event follows their length, in both directions.
func TestBatchIsNearlyFull(t *testing.T) {
	long, short := ids(20, 200), ids(3000, 4)
	for name, all := range map[string][]string{
		"long first":  append(slices.Clone(long), short...),
		"short first": append(slices.Clone(short), long...),
		"one giant":   append([]string{strings.Repeat("g", 5000)}, short...),
	} {
		var to tape
		b := NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: 1024})
		b.Add("ann", all...)
		b.Flush(&to)
		// 7 bytes for a short ID and 203 for a long one, in about 870.
		if n := len(to.all()); n > 25+5+5 {
			t.Errorf("%s: got %d events, about 30 are enough", name, n)
		}
	}
}

// A hub that takes less than the batch believes makes it split further.
func TestBatchObeysASmallerHub(t *testing.T) {
	hub := newTestHub(t, usercast.Config{MaxEventBytes: 1024, BufferSize: 1000})
	to := tape{refuse: hub.Broadcast}
	b := NewBatch(batchCreated, ordersOf, BatchConfig{})
	b.Add("ann", ids(1000, 10)...)
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	if n := len(to.all()); n < 13 || n > 32 {
		t.Errorf("got %d events, want 13,000 bytes in parts of at most 1,024", n)
	}
}

func TestBatchIsBounded(t *testing.T) {
	var to tape
	b := NewBatch(batchCreated, ordersOf, BatchConfig{MaxIDs: 5})
	if err := errors.Join(b.Add("ann", "1", "2", "3"), b.Add("bob", "1")); err != nil {
		t.Fatal(err)
	}
	// All or nothing, and IDs that wait already need no room.
	wantErr(t, b.Add("ann", "3", "4", "4", "5"), ErrBatchFull, "5 IDs", "MaxIDs")
	wantErr(t, b.Add("eve", "1", "2"), ErrBatchFull)
	if err := errors.Join(b.Add("ann", "3", "2", "1", "4"), b.Add("ann", "4", "1")); err != nil {
		t.Error(err)
	}
	wantErr(t, b.Add("ann", "5"), ErrBatchFull)
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	got := to.all()
	if len(got) != 2 || got[0].json != `{"orderIds":["1","2","3","4"],"count":4}` || got[1].json != `{"orderIds":["1"],"count":1}` {
		t.Errorf("got %+v", got)
	}
	if err := b.Add("ann", ids(5, 1)...); err != nil {
		t.Errorf("after Flush: %v", err)
	}
	for _, user := range []string{"", strings.Repeat("x", 129), "\xff"} {
		wantErr(t, b.Add(user, "1"), usercast.ErrInvalidUser)
	}
}

func TestBatchRefuses(t *testing.T) {
	type batch = Batch[string, batchOrders]
	for name, test := range map[string]struct {
		b     *batch
		words string
	}{
		"no event":       {NewBatch(usercast.EventType[batchOrders]{}, ordersOf, BatchConfig{}), "event: missing; usercast.Define"},
		"latest":         {NewBatch(batchLatest, ordersOf, BatchConfig{}), "TEST_BATCH_LATEST is a latest event"},
		"no payload":     {NewBatch[string](batchCreated, nil, BatchConfig{}), "payload: missing"},
		"no room":        {NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: 255}), "MaxEventBytes: 255, want at least 256"},
		"negative room":  {NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: -1}), "MaxEventBytes: -1"},
		"negative bound": {NewBatch(batchCreated, ordersOf, BatchConfig{MaxIDs: -1}), "MaxIDs: -1"},
	} {
		t.Run(name, func(t *testing.T) {
			var to tape
			wantErr(t, test.b.Add("ann", "1"), usercast.ErrInvalidConfig, test.words)
			wantErr(t, test.b.Flush(&to), usercast.ErrInvalidConfig, test.words)
			if len(to.all()) != 0 || test.b.Len() != 0 {
				t.Errorf("got %+v and Len %d", to.all(), test.b.Len())
			}
		})
	}
	b := NewBatch(batchCreated, ordersOf, BatchConfig{})
	b.Add("ann", "1")
	wantErr(t, b.Flush(nil), usercast.ErrInvalidConfig, "to: missing")
	if b.Len() != 1 {
		t.Errorf("Flush to nowhere: got Len %d, want what waits to be still there", b.Len())
	}
}

func TestBatchContainsPanics(t *testing.T) {
	to := tape{refuse: func(user string, _ usercast.Event) error {
		if user == "mal" {
			panic("of the hub")
		}
		return nil
	}}
	b := NewBatch(batchKeyed, func(ids []string) batchOrders {
		if ids[0] == "panic" {
			panic("on purpose")
		}
		if ids[0] == "key" {
			return batchOrders{} // the key's function panics
		}
		return ordersOf(ids)
	}, BatchConfig{})
	b.Add("ann", "panic", "2", "3")
	b.Add("bob", "key")
	b.Add("mal", "1")
	b.Add("eve", "1")
	err := b.Flush(&to)
	wantErr(t, err, usercast.ErrPanic, "on purpose", "of the hub", "batch_test.go", `3 changes of user "ann"`, "the key of its definition")
	if got := to.all(); len(got) != 1 || got[0].user != "eve" || got[0].Key != "first:1" {
		t.Errorf("got %+v, want eve's", got)
	}
}

func TestBatchTellsTheFirstErrors(t *testing.T) {
	refused := errors.New("refused")
	to := tape{refuse: func(string, usercast.Event) error { return refused }}
	b := NewBatch(batchCreated, ordersOf, BatchConfig{})
	for i := range 100 {
		b.Add(fmt.Sprint("user", i), "1")
	}
	err := b.Flush(&to)
	wantErr(t, err, refused, "user0", "user7", "and 92 more")
	if strings.Contains(err.Error(), "user8") {
		t.Errorf("got %v", err)
	}
}

// Any comparable type is an ID.
func TestBatchOfStructs(t *testing.T) {
	type row struct {
		ID, Version int
	}
	var to tape
	b := NewBatch(batchNumbered, func(rows []row) (list []int) {
		for _, r := range rows {
			list = append(list, r.ID, r.Version)
		}
		return list
	}, BatchConfig{})
	b.Add("ann", row{1, 1}, row{1, 2}, row{1, 1})
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	if got := to.all(); len(got) != 1 || got[0].json != "[1,1,1,2]" {
		t.Errorf("got %+v", got)
	}
}

// A payload function that appends to its IDs does not reach those of the next part.
func TestBatchPartsDoNotShare(t *testing.T) {
	var to tape
	b := NewBatch(batchCreated, func(ids []string) batchOrders { return ordersOf(append(ids, "and one")) }, BatchConfig{MaxEventBytes: 256})
	all := ids(40, 20)
	b.Add("ann", all...)
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	var back []string
	for _, ev := range to.all() {
		var p batchOrders
		json.Unmarshal([]byte(ev.json), &p)
		back = append(back, p.OrderIDs[:p.Count-1]...)
	}
	if !slices.Equal(back, all) {
		t.Errorf("got %q", back)
	}
}

func TestBatchFromManyGoroutines(t *testing.T) {
	var to tape
	b := NewBatch(batchCreated, ordersOf, BatchConfig{MaxEventBytes: 512})
	const workers, each = 8, 200
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				if err := b.Add("ann", fmt.Sprintf("%d-%d", w, i)); err != nil {
					t.Error(err)
				}
				if i%50 == 0 {
					if err := b.Flush(&to); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := b.Flush(&to); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]int)
	for _, ev := range to.all() {
		var p batchOrders
		json.Unmarshal([]byte(ev.json), &p)
		for _, id := range p.OrderIDs {
			seen[id]++
		}
	}
	if len(seen) != workers*each {
		t.Errorf("got %d IDs, want %d", len(seen), workers*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}
