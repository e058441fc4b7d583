package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestOutput(t *testing.T) {
	const mark = "generated"
	for name, c := range map[string]struct {
		old   string // "": no file
		check bool
		fails string
		left  string // what is in the file afterwards
	}{
		"new":           {"", false, "", "generated 2\n"},
		"replaced":      {"generated 1\n", false, "", "generated 2\n"},
		"blank":         {"\n\n", false, "", "generated 2\n"},
		"something":     {"my notes\n", false, "holds something else (no generated): remove it, or give another name to -o", "my notes\n"},
		"right":         {"generated 2\n", false, "", "generated 2\n"},
		"check missing": {"", true, "is missing: run the same command without --check", ""},
		"check stale":   {"generated 1\n", true, "is out of date: run the same command without --check\nline 1: it has \"generated 1\", it should have \"generated 2\"", "generated 1\n"},
		"check short":   {"generated 2", true, "they differ in their last line's end", "generated 2"},
		"check right":   {"generated 2\n", true, "", "generated 2\n"},
		"check other":   {"my notes\n", true, "is out of date", "my notes\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "out.ts")
			past := time.Now().Add(-time.Hour).Truncate(time.Second)
			if c.old != "" {
				if err := os.WriteFile(file, []byte(c.old), 0o640); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(file, past, past); err != nil {
					t.Fatal(err)
				}
			}
			var stdout bytes.Buffer
			err := output{File: file, Check: c.check}.write(&environment{stdout: &stdout}, []byte("generated 2\n"), mark)
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			left, err := os.ReadFile(file)
			if string(left) != c.left || stdout.Len() > 0 {
				t.Errorf("got %q (%v) and output %q, want %q and none", left, err, stdout.String(), c.left)
			}
			if info, err := os.Stat(file); err == nil && c.old == c.left && !info.ModTime().Equal(past) {
				t.Error("the file was touched, though nothing changed")
			} else if err == nil && c.old != "" && info.Mode().Perm() != 0o640 {
				t.Errorf("got mode %v, want that of the old file", info.Mode())
			}
			if all, err := os.ReadDir(dir); err != nil || len(all) > 1 {
				t.Errorf("got %v (%v), want one file at most", all, err)
			}
		})
	}
}

func TestOutputWithoutFile(t *testing.T) {
	var stdout bytes.Buffer
	if err := (output{}).write(&environment{stdout: &stdout}, []byte("text"), "mark"); err != nil || stdout.String() != "text" {
		t.Errorf("got %q and %v", stdout.String(), err)
	}
	if err := (output{File: filepath.Join(t.TempDir(), "missing", "out.ts")}).write(nil, nil, "mark"); err == nil {
		t.Error("a directory that is missing is no error")
	}
}
