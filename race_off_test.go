//go:build !race

package usercast

// raceEnabled says that allocations can be counted.
const raceEnabled = false
