package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/usercast-go/usercast/cmd/usercast/internal/vet"
)

// vetCommand looks for mistakes.
type vetCommand struct {
	Packages []string `arg:"" optional:"" name:"package" help:"Packages to look at, as the go command takes them: ./..."`
	JSON     bool     `name:"json" help:"Print findings as go vet -json does."`
	Tags     string   `help:"Build tags, comma-separated."`
	Checks   []string `default:"neversent,intx,undefined" enum:"neversent,intx,undefined" help:"What to look for (default: all)."`
}

// Help explains the checks.
func (vetCommand) Help() string {
	return `Looks for mistakes in how a program sends its events:

  neversent   an event is defined and nothing can broadcast it
  intx        a broadcast to the hub while a transaction is open: it may still be rolled back
  undefined   an event is sent by a name that no definition has (if there are definitions)

The whole program counts, which is all modules that are worked on here, whichever packages
are named. Where it cannot be known, nothing is said; if that is so of a whole check, a
line on standard error says why. Files of tests are not looked at.

The status is 0 if nothing was found, 1 if something was, 2 if that is not known, because a
package could not be loaded.

  usercast vet ./...
  usercast vet --checks=intx ./internal/orders
  usercast vet --json ./... | jq`
}

// Run implements the command.
func (c *vetCommand) Run(env *environment) error {
	result, err := vet.Check(env.ctx, vet.Config{Patterns: c.Packages, Tags: c.Tags, Checks: c.Checks})
	if err != nil {
		fmt.Fprintln(env.stderr, "usercast:", err)
		return exitCode(2)
	}
	for _, note := range result.Notes {
		fmt.Fprintln(env.stderr, "usercast:", relative(note))
	}
	write := writeFindings
	if c.JSON {
		write = writeFindingsJSON
	}
	if err := write(env, result.Findings); err != nil {
		return err
	}
	if len(result.Findings) > 0 {
		return exitCode(1)
	}
	return nil
}

func writeFindings(env *environment, findings []vet.Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(env.stdout, "%s: %s\n", relative(f.Pos.String()), f.Message); err != nil {
			return err
		}
	}
	return nil
}

// writeFindingsJSON writes packages, their checks and what these have found.
func writeFindingsJSON(env *environment, findings []vet.Finding) error {
	type finding struct {
		Posn    string `json:"posn"`
		Message string `json:"message"`
	}
	tree := map[string]map[string][]finding{}
	for _, f := range findings {
		if tree[f.Package] == nil {
			tree[f.Package] = map[string][]finding{}
		}
		tree[f.Package][f.Check] = append(tree[f.Package][f.Check], finding{f.Pos.String(), f.Message})
	}
	b, err := json.MarshalIndent(tree, "", "\t")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.stdout, "%s\n", b)
	return err
}

// relative shortens a place that is below the current directory, as go vet does.
func relative(place string) string {
	dir, err := os.Getwd()
	if err != nil {
		return place
	}
	if rest, ok := strings.CutPrefix(place, dir+string(filepath.Separator)); ok {
		return "." + string(filepath.Separator) + rest
	}
	return place
}
