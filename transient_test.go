package usercast

import (
	"fmt"
	"testing"
)

func TestDefaultClassify(t *testing.T) {
	for _, c := range []struct {
		typ, key string
		want     Class
	}{
		{"PENDING_CREATED", "", Buffered},
		{"JOB_COMPLETED", "job:1", Buffered},
		{"JOB_PROGRESS", "", Transient},
		{"JOB_PROGRESS", "job:1", Latest},
		{"SYNC_PROGRESS", "", Transient},
		{"PROGRESS", "", Buffered},
		{"JOB_PROGRESSED", "", Buffered},
		{"job_progress", "", Buffered},
	} {
		if got := DefaultClassify(Event{Type: c.typ, Key: c.key}); got != c.want {
			t.Errorf("%s with key %q is %v, want %v", c.typ, c.key, got, c.want)
		}
	}
}

func TestSlotsAreBounded(t *testing.T) {
	var l log
	l.init("e", 0, 0, 4)
	for i := range 3 * maxSlots {
		d := draft{class: Latest, key: fmt.Sprintf("job:%d", i), frame: make([]byte, 10)}
		l.append(&d, l.stamp(0), int64(i), true)
	}
	if len(l.slots) != maxSlots || l.slots[0].key != fmt.Sprintf("job:%d", 2*maxSlots) {
		t.Errorf("%d values, the oldest %s; want the newest %d", len(l.slots), l.slots[0].key, maxSlots)
	}
	if want := int64(maxSlots) * (10 + entryOverhead); l.used.bytes != want || l.used.events != maxSlots {
		t.Errorf("used %+v, want %d events and %d bytes", l.used, maxSlots, want)
	}
	for i := range 3 * maxSlots {
		d := draft{class: Buffered, key: fmt.Sprintf("job:%d", i)}
		l.append(&d, l.stamp(0), int64(i), true)
	}
	if len(l.slots) != 0 {
		t.Errorf("%d values after every job has completed", len(l.slots))
	}
}

func TestTransientsAreBounded(t *testing.T) {
	var l log
	l.init("e", 0, 0, 4)
	d := draft{class: Transient, frame: make([]byte, 10)}
	l.append(&d, l.stamp(0), 1, false)
	if l.used.events != 0 {
		t.Error("a transient that nobody hears was kept")
	}
	for range 3 * maxRecent {
		l.append(&d, l.stamp(0), 1, true)
	}
	if l.recent.len() != maxRecent || l.used.events != maxRecent {
		t.Errorf("%d transients wait, want %d", l.recent.len(), maxRecent)
	}
	l.trimRecent(l.last)
	if l.used != (usage{}) {
		t.Errorf("used %+v after all were sent", l.used)
	}
}
