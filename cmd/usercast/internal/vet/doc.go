// Package vet finds what is wrong with how a program emits its events: events that
// are defined and never broadcast, broadcasts inside a transaction that is still
// open, and names of events that no definition has.
//
// Each check abstains where it cannot know. What it takes for known is said where it
// decides: live in refs.go for uses of a definition, origin in origin.go for names of
// events, transaction in tx.go for transactions, and toHub in api.go for who is a hub.
//
// [InTransaction] looks at one function at a time and is an analyzer as any other.
// The other two need the whole program: [Summaries] says of each package what
// it defines and sends, and [Check] loads all packages and compares.
package vet
