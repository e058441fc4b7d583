// Package inside can be imported from nowhere else.
package inside

import "github.com/usercast-go/usercast"

var Exported = usercast.Define[string]("LI_INSIDE", usercast.Buffered) // want `LI_INSIDE`
