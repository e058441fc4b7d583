// Package broken does not compile.
package broken

import "github.com/usercast-go/usercast"

var x = usercast.Define[string](missing, usercast.Buffered)
