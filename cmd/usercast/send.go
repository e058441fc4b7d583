package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// sendCommand sends an event.
type sendCommand struct {
	adminFlags
	User    []string `short:"u" sep:"none" placeholder:"USER" help:"Who gets it; may be given more than once."`
	All     bool     `help:"Everyone gets it."`
	Key     string   `placeholder:"KEY" help:"Key of the thing whose newest value it is: job:42."`
	Except  string   `placeholder:"DEVICE" help:"Device or connection that does not get it."`
	Type    string   `arg:"" help:"Type of the event: PENDING_CREATED."`
	Payload string   `arg:"" optional:"" help:"Its payload in JSON: the text itself, @FILE, or - for standard input. Without it: null."`
}

// Help shows examples.
func (sendCommand) Help() string {
	return `Sends an event through the admin handler of a running hub, and prints its timestamp. What
the hub would refuse from the application it refuses from here: a definition's class and
key hold, the shape of the payload is yours to get right.

  export USERCAST_ADMIN_URL=https://shop.example.com/admin/usercast
  export USERCAST_ADMIN_TOKEN="$(cat /run/secrets/usercast)"
  usercast send -u alice PENDING_CREATED '{"orderIds":["42"],"count":1}'
  usercast send -u alice -u bob PENDING_CREATED @created.json
  generate | usercast send -u alice JOB_PROGRESS --key job:42 -
  usercast send --all NOTIFICATION_NEW '{"title":"Back at noon"}'`
}

// Run implements the command.
func (c *sendCommand) Run(env *environment) error {
	hub, err := c.open()
	if err != nil {
		return err
	}
	body := map[string]any{"type": c.Type, "key": c.Key, "except": c.Except}
	switch {
	case c.All == (len(c.User) > 0):
		return errors.New("name the user by -u, or everyone by --all")
	case c.All:
		body["all"] = true
	case len(c.User) == 1:
		body["user"] = c.User[0]
	default:
		body["users"] = c.User
	}
	if body["payload"], err = c.payload(env); err != nil {
		return err
	}
	var sent struct {
		Timestamp string
		Users     int
	}
	if err := hub.call(env.ctx, "send", body, &sent); err != nil {
		return err
	}
	switch {
	case sent.Timestamp != "":
		_, err = fmt.Fprintln(env.stdout, sent.Timestamp)
	case c.All:
		_, err = fmt.Fprintln(env.stdout, "sent to everyone")
	default:
		_, err = fmt.Fprintf(env.stdout, "sent to %d users\n", sent.Users)
	}
	return err
}

// maxPayload is the most that a hub can be configured to send.
const maxPayload = 16 << 20

// payload reads the payload and takes the white space out of it, which would count.
func (c *sendCommand) payload(env *environment) (json.RawMessage, error) {
	var in io.Reader
	name := "the payload"
	switch file, isFile := strings.CutPrefix(c.Payload, "@"); {
	case c.Payload == "":
		return json.RawMessage("null"), nil
	case c.Payload == "-":
		in, name = env.stdin, "standard input"
	case isFile:
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, file
	default:
		in = strings.NewReader(c.Payload)
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPayload+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxPayload {
		return nil, fmt.Errorf("%s: over %d bytes, more than any hub takes", name, maxPayload)
	}
	if err := json.Unmarshal(b, new(json.RawMessage)); err != nil {
		text := fmt.Sprintf("%s is not JSON: %v", name, err)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			text += fmt.Sprintf(" at byte %d", syntax.Offset)
		}
		if name == "the payload" {
			text += "; a string needs its quotes, a file an @"
		}
		return nil, errors.New(text)
	}
	var out bytes.Buffer
	err = json.Compact(&out, b)
	return out.Bytes(), err
}
