// Package hangs waits for what never comes.
package hangs

import (
	"os"
	"time"

	"github.com/usercast-go/usercast"
)

// One is an event.
var One = usercast.Define[int]("ONE", usercast.Buffered)

func init() {
	if file := os.Getenv("HANGS_TOUCH"); file != "" {
		os.WriteFile(file, nil, 0o600)
	}
	time.Sleep(time.Hour)
}
