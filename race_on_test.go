//go:build race

package usercast

// raceEnabled says that allocations cannot be counted.
const raceEnabled = true
