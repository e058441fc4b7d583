// Command mutants breaks the hub and the order of emission on purpose, one place at a
// time, and runs the tests that watch it. They must see every one: a mutant that survives
// is a promise that nobody watches.
//
// It changes no file: the go command reads each mutant through an overlay.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A mutant replaces one piece of one file.
type mutant struct {
	name     string // what is done wrong now
	file     string
	old, new string // old must stand in the file exactly once
}

func main() {
	seeds := flag.Int("seeds", 400, "random schedules that a mutant of the hub must survive to count as unseen")
	only := flag.String("run", "", "only mutants whose name contains `text`")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: go run ./internal/mutants [flags]\n\nBreaks the hub and the order of emission in %d ways and checks that a test sees each.\nRun it in the root of the module.\n\n", len(hub)+len(emission))
		flag.PrintDefaults()
	}
	flag.Parse()
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		fatal(err)
	}
	defer os.RemoveAll(dir)
	seen, unseen := 0, 0
	for _, m := range slices.Concat(hub, emission) {
		if !strings.Contains(m.name, *only) {
			continue
		}
		began := time.Now()
		verdict, err := m.run(dir, *seeds)
		if err != nil {
			fatal(fmt.Errorf("%s: %w", m.name, err))
		}
		if verdict == "" {
			unseen++
			verdict = "NOT SEEN"
		} else {
			seen++
		}
		fmt.Printf("%-62s %5.1fs  %s\n", m.name, time.Since(began).Seconds(), verdict)
	}
	fmt.Printf("mutants: %d seen, %d not seen\n", seen, unseen)
	if unseen > 0 {
		os.RemoveAll(dir)
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "mutants:", err)
	os.Exit(2)
}

// run returns what the oracle said, or "" if it saw nothing.
func (m mutant) run(dir string, seeds int) (verdict string, err error) {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%s contains %q %d times, want once", m.file, m.old, n)
	}
	broken := filepath.Join(dir, filepath.Base(m.file))
	text := strings.Replace(string(source), m.old, m.new, 1)
	if strings.Contains(m.new, "time.") && !strings.Contains(text, `"time"`) {
		text = strings.Replace(text, "import (", "import (\n\t\"time\"", 1)
	}
	if err := os.WriteFile(broken, []byte(text), 0o644); err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: broken}})
	if err != nil {
		return "", err
	}
	overlayFile := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlayFile, overlay, 0o644); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mutant.test")
	if out, err := exec.Command("go", "test", "-c", "-overlay", overlayFile, "-o", binary, "./"+filepath.Dir(m.file)).CombinedOutput(); err != nil {
		return "", fmt.Errorf("does not compile: %w\n%s", err, out)
	}
	args := []string{"-test.timeout", "120s", "-test.run"}
	if filepath.Dir(m.file) == "emit" {
		args = append(args, "^Test(EventsLeaveInTheOrderOfCommits|NoRequestOvertakesAnother|TxReturnsWhenAllIsSent|LateCommitStandsInLineAgain|AllWaitForAHangingCommit)$")
	} else {
		args = append(args, "^TestProperty$", fmt.Sprintf("-seeds=%d", seeds))
	}
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err == nil {
		return "", nil
	}
	return complaint(string(out)), nil
}

// complaint finds the line by which the oracle gave the mutant away.
func complaint(out string) string {
	first := "it ended: " + strings.SplitN(out, "\n", 2)[0]
	for line := range strings.SplitSeq(out, "\n") {
		if _, text, ok := strings.Cut(line, "_test.go:"); ok {
			if _, text, ok = strings.Cut(text, ": "); ok {
				first = text
				break
			}
		}
	}
	if len(first) > 90 {
		first = first[:90] + "…"
	}
	return first
}
