package usercast

import (
	"slices"
	"strings"
)

// DefaultClassify is the classification without Config.Classify: a Type that ends
// in "_PROGRESS" is [Latest] if it has a Key and [Transient] if it has none;
// everything else is [Buffered].
func DefaultClassify(ev Event) Class {
	switch {
	case !strings.HasSuffix(ev.Type, "_PROGRESS"):
		return Buffered
	case ev.Key != "":
		return Latest
	default:
		return Transient
	}
}

// Bounds of what a log keeps beside its ring.
const (
	maxSlots  = 64 // latest values; the one updated longest ago goes first
	maxRecent = 64 // transients that a slow connection can lag behind
)

// slots are the latest values of a log, one per key, ordered by timestamp. There
// are rarely more than a handful, so a slice beats a map in time and in memory.
type slots []slot

type slot struct {
	key string
	entry
}

// set makes e the newest value of its key. It reports the size that was given up.
func (s *slots) set(key string, e entry) (freed int64, dropped int) {
	freed, dropped = s.remove(key)
	if len(*s) == maxSlots {
		freed += s.pop()
		dropped++
	}
	*s = append(*s, slot{key, e})
	return freed, dropped
}

// clear forgets the value of a key.
func (s *slots) clear(key string) (freed int64, dropped int) {
	if freed, dropped = s.remove(key); len(*s) == 0 {
		*s = nil
	}
	return freed, dropped
}

func (s *slots) remove(key string) (freed int64, dropped int) {
	i := slices.IndexFunc(*s, func(v slot) bool { return v.key == key })
	if i < 0 {
		return 0, 0
	}
	freed = (*s)[i].size()
	*s = slices.Delete(*s, i, i+1)
	return freed, 1
}

// pop forgets the value that was set longest ago. There must be one.
func (s *slots) pop() (freed int64) {
	freed, _ = s.clear((*s)[0].key)
	return freed
}

// after returns the index of the first value newer than ts.
func (s slots) after(ts Timestamp) int {
	for i := range s {
		if s[i].ts > ts {
			return i
		}
	}
	return len(s)
}
