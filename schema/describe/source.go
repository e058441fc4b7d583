package describe

import "embed"

// Source is the part of this package that walks types: what a tool puts into the
// program that it builds in a user's module. Its imports are the standard library
// and github.com/usercast-go/usercast.
//
//go:embed describe.go walk.go fields.go own.go
var Source embed.FS
