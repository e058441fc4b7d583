// Package prints talks while it is initialised, and ends the program.
package prints

import (
	"fmt"
	"os"

	"github.com/usercast-go/usercast"
)

// One is an event.
var One = usercast.Define[int]("ONE", usercast.Buffered)

func init() {
	fmt.Println("DATABASE_URL is not set")
	os.Exit(0)
}
