// Package panics cannot be initialised.
package panics

import "github.com/usercast-go/usercast"

// One and Two have one name.
var (
	One = usercast.Define[int]("TWICE", usercast.Buffered)
	Two = usercast.Define[int]("TWICE", usercast.Buffered)
)
