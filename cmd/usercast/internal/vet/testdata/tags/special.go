//go:build special

package main

import "github.com/usercast-go/usercast"

// Nothing sends it.
// It is only there for a build with the tag.
var special = usercast.Define[string]("TA_SPECIAL", usercast.Buffered)
