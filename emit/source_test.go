package emit_test

import (
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/emit"
)

var _ = emit.DefineJobs("SOURCE_TEST_JOB")

// Whoever reads the catalog is pointed to the application's line, not to emit's.
func TestDefineJobsSource(t *testing.T) {
	d, ok := usercast.Defined().Lookup("SOURCE_TEST_JOB_STARTED")
	if !ok || !strings.Contains(d.Source, "source_test.go:") {
		t.Errorf("got %+v, want a line of this file", d)
	}
}
