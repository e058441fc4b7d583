package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestVet(t *testing.T) {
	t.Setenv("GOWORK", "off") // the module in testdata is in no workspace
	t.Chdir("internal/vet/testdata")
	stdout, stderr, code := invoke(t, "", "vet", "./computed", "./dyndefs", "./intx")
	if code != 1 || strings.Contains(stdout, t.Name()) {
		t.Errorf("got status %d, want 1", code)
	}
	for _, want := range []string{
		"./intx/intx.go:37:17: Hub.Broadcast inside the transaction that is begun in line 29: it may still be rolled back; broadcast after Commit, or use emit.Tx\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	for _, want := range []string{
		"usercast: ./computed/main.go:14:46: events are sent by names that are made while the program runs, and may be any: of definitions that are never broadcast nothing is said\n",
		"usercast: ./dyndefs/main.go:11:32: events are defined by names that are made while the program runs: of names without a definition nothing is said\n",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("no %q in:\n%s", want, stderr)
		}
	}

	stdout, stderr, code = invoke(t, "", "vet", "--checks=intx", "--json", "./intx/...")
	var tree map[string]map[string][]struct{ Posn, Message string }
	if err := json.Unmarshal([]byte(stdout), &tree); err != nil || code != 1 || stderr != "" {
		t.Fatalf("got status %d, %q, %v:\n%s", code, stderr, err, stdout)
	}
	if got := tree["shop.example/intx"]["intx"]; len(tree) != 1 || len(got) < 20 || !strings.HasSuffix(got[0].Posn, "/intx/intx.go:37:17") {
		t.Errorf("got %v", tree)
	}

	for _, c := range []struct {
		args           []string
		stdout, stderr string
		code           int
	}{
		{[]string{"--checks=intx", "./library"}, "", "", 0},
		{[]string{"--checks=intx", "--json", "./library"}, "{}\n", "", 0},
		{[]string{"--checks=neversent", "./computed"}, "", "made while the program runs", 0},
		{[]string{"./nowhere"}, "", "nowhere", 2},
		{[]string{"--checks=everything"}, "", "--checks", 2},
	} {
		stdout, stderr, code := invoke(t, "", append([]string{"vet"}, c.args...)...)
		if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" {
			t.Errorf("%q: got status %d, %q and %q; want %d, %q and %q", c.args, code, stdout, stderr, c.code, c.stdout, c.stderr)
		}
	}
}
