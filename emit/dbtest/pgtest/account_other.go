//go:build !linux

package pgtest

import "syscall"

// attributes leaves a child as it is: elsewhere tests are not run as root.
func attributes(*account) *syscall.SysProcAttr { return nil }
