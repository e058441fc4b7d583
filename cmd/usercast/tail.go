package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/client"
)

// tailCommand follows a user.
type tailCommand struct {
	adminFlags
	User   string `short:"u" required:"" placeholder:"USER" help:"Whom to follow."`
	JSON   bool   `name:"json" help:"Print events as JSON, one a line."`
	Since  string `placeholder:"CURSOR" help:"Where to begin: a timestamp, or the cursor that an earlier tail has ended with."`
	Device string `placeholder:"DEVICE" help:"Hear what this device hears: not what it has caused itself."`
}

// Help shows examples.
func (tailCommand) Help() string {
	return `Prints what the devices of a user hear, through the admin handler of a running hub: one
line for each event, with its timestamp, type, class and key, and payload. It comes back
after cuts and says what became of the events that were missed, by lines on standard
error. The application does not take it for a device. Ctrl-C ends it and prints a cursor.

  export USERCAST_ADMIN_URL=https://shop.example.com/admin/usercast
  export USERCAST_ADMIN_TOKEN="$(cat /run/secrets/usercast)"
  usercast tail -u alice
  usercast tail -u alice --since 2026-11-22T20:53:52.123456Z
  usercast tail -u alice --json | jq 'select(.type == "JOB_FAILED").payload'`
}

// Run implements the command.
func (c *tailCommand) Run(env *environment) error {
	hub, err := c.open()
	if err != nil {
		return err
	}
	since, err := parseCursor(c.Since)
	if err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	// A client never gives up, which is right once it has been connected: what is
	// wrong with the address or the token is said now.
	var stats struct{ Connections *int64 }
	if err := hub.call(env.ctx, "stats", nil, &stats); err != nil {
		return err
	}
	if stats.Connections == nil {
		return fmt.Errorf("%s answers something else than usercast.Admin", hub.address("stats"))
	}
	t := &tail{env: env, json: c.JSON, user: c.User}
	if t.client, err = client.New(client.Config{
		URL:       hub.address("tail") + "?user=" + url.QueryEscape(c.User),
		Device:    c.Device,
		Cursor:    since,
		Token:     hub.giveToken,
		OnConnect: t.connected,
		OnGap:     t.gap,
		OnState:   t.state,
		OnError:   func(err error) { t.say("%v", err) },
		Logger:    slog.New(slog.DiscardHandler), // what it would say is said here
	}); err != nil {
		return err
	}
	t.client.On("*", t.event)
	return t.run()
}

// giveToken is a client's Config.Token. A token that is refused stays refused.
func (a *admin) giveToken(_ context.Context, reason client.TokenReason) (string, error) {
	if reason != client.TokenConnect {
		return "", client.ErrUnauthorized
	}
	return a.token, nil
}

// A tail prints what a client hears. All its methods run in the goroutine of run.
type tail struct {
	env    *environment
	client *client.Client
	user   string
	json   bool
	broken error // standard output takes no more
}

func (t *tail) run() error {
	err := t.client.Run(t.env.ctx)
	if at := formatCursor(t.client.Cursor()); at != "" {
		t.say("to go on from here: --since %s", at)
	}
	var closed *client.CloseError
	switch {
	case t.broken != nil:
		return t.broken
	case t.env.ctx.Err() != nil:
		return nil // Ctrl-C
	case errors.Is(err, client.ErrRevoked):
		if errors.As(err, &closed) {
			return fmt.Errorf("the hub has disconnected %s: %s", printable(t.user), printable(closed.Reason))
		}
	case errors.Is(err, client.ErrUnauthorized):
		return errors.New("the hub refuses the admin token now")
	case errors.Is(err, client.ErrReplaced):
		return fmt.Errorf("a device of %s needed the place", printable(t.user))
	}
	return err
}

// say writes a line for the eyes.
func (t *tail) say(format string, args ...any) {
	fmt.Fprintf(t.env.stderr, "usercast: %s\n", printable(fmt.Sprintf(format, args...)))
}

func (t *tail) connected(h client.Hello) {
	what := string(h.Verdict)
	switch h.Verdict {
	case usercast.Fresh:
		what = "what happens from now on"
	case usercast.Resumed:
		what = "nothing was missed, what came meanwhile follows"
	case usercast.Gap:
		what = fmt.Sprintf("events are missing (%s), what is left follows", h.GapReason)
	}
	t.say("%s: %s (%s)", h.Verdict, what, h.ConnectionID)
}

func (t *tail) gap(g client.Gap) {
	from := formatCursor(g.From)
	if from == "" {
		from = "the beginning"
	}
	t.say("gap: %s: not everything after %s was here", g.Reason, from)
}

func (t *tail) state(s client.State) {
	if s.Phase != client.Reconnecting || s.RetryAt.IsZero() {
		return
	}
	t.say("not connected: %s; next attempt in %v", s.Reason, time.Until(s.RetryAt).Round(100*time.Millisecond))
}

func (t *tail) event(ev client.Event) {
	var err error
	if t.json {
		err = writeJSONLine(t.env.stdout, ev)
	} else {
		err = writeLine(t.env.stdout, ev)
	}
	if err != nil && t.broken == nil {
		t.broken = err
		t.client.Close()
	}
}

// writeLine writes an event for the eyes.
func writeLine(w io.Writer, ev client.Event) error {
	marks := []string{}
	if ev.Class != usercast.Buffered {
		marks = append(marks, ev.Class.String())
	}
	if ev.Key != "" {
		marks = append(marks, printable(ev.Key))
	}
	if ev.Global {
		marks = append(marks, "all")
	}
	if ev.Replayed {
		marks = append(marks, "replayed")
	}
	line := ev.Timestamp.String() + " " + printable(ev.Type)
	if len(marks) > 0 {
		line += " [" + strings.Join(marks, " ") + "]"
	}
	_, err := fmt.Fprintf(w, "%s %s\n", line, printable(compact(ev.Payload)))
	return err
}

// writeJSONLine writes an event for programs.
func writeJSONLine(w io.Writer, ev client.Event) error {
	line := struct {
		Timestamp usercast.Timestamp `json:"timestamp"`
		Type      string             `json:"type"`
		Class     string             `json:"class"`
		Key       string             `json:"key,omitempty"`
		Scope     string             `json:"scope,omitempty"`
		Replayed  bool               `json:"replayed,omitempty"`
		Payload   json.RawMessage    `json:"payload"`
	}{ev.Timestamp, ev.Type, ev.Class.String(), ev.Key, "", ev.Replayed, ev.Payload}
	if ev.Global {
		line.Scope = "all"
	}
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, printable(string(b)))
	return err
}

func compact(payload json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, payload) != nil {
		return string(payload) // a client has let in JSON only
	}
	return b.String()
}

// printable writes what a terminal would obey, or hide, as JSON writes it in a string:
// payloads are whoever's. In JSON it means the same.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// formatCursor writes a cursor for --since: epoch, timestamp and timestamp of what
// goes to everyone, by commas.
func formatCursor(c usercast.Cursor) string {
	if c == (usercast.Cursor{}) {
		return ""
	}
	return strings.TrimSuffix(fmt.Sprintf("%s,%s,%s", c.Epoch, c.LastEventTs, zeroless(c.LastGlobalTs)), ",")
}

func zeroless(t usercast.Timestamp) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

// parseCursor reads what formatCursor writes, and a timestamp alone.
func parseCursor(s string) (c usercast.Cursor, err error) {
	if s == "" {
		return c, nil
	}
	parts := strings.Split(s, ",")
	if len(parts) > 1 {
		c.Epoch, parts = parts[0], parts[1:]
	}
	for i, to := range []*usercast.Timestamp{&c.LastEventTs, &c.LastGlobalTs} {
		if i >= len(parts) {
			break
		}
		if *to, err = usercast.ParseTimestamp(parts[i]); err != nil {
			return usercast.Cursor{}, fmt.Errorf("want a timestamp, or EPOCH,TIMESTAMP,TIMESTAMP as a tail has ended with: %w", err)
		}
	}
	if len(parts) > 2 {
		return usercast.Cursor{}, errors.New("want EPOCH,TIMESTAMP,TIMESTAMP and no more")
	}
	return c, nil
}
