// Package empty defines nothing.
package empty

import "github.com/usercast-go/usercast"

// Class is none.
const Class = usercast.Buffered
