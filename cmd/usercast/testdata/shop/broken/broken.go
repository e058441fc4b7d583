// Package broken does not compile.
package broken

import "github.com/usercast-go/usercast"

// Wrong has no such payload.
var Wrong = usercast.Define[Missing]("WRONG", usercast.Buffered)
