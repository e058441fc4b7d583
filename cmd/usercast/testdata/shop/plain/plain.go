// Package plain knows nothing of usercast.
package plain
