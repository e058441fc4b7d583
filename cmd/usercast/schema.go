package main

import "github.com/usercast-go/usercast/schema"

// schemaCommand writes JSON Schema.
type schemaCommand struct {
	source
	output
}

// Help shows examples.
func (schemaCommand) Help() string {
	return `Writes JSON Schema 2020-12: "#/properties/ORDER_CREATED" is the schema of that event's
payload, and "#/$defs" has an entry for each Go type.

  usercast schema ./internal/events -o docs/events.schema.json
  usercast schema ./internal/events -o docs/events.schema.json --check`
}

// Run implements the command.
func (c *schemaCommand) Run(env *environment) error {
	if err := c.check(); err != nil {
		return err
	}
	d, err := c.describe(env)
	if err != nil {
		return err
	}
	text, err := schema.FromDescription(d)
	if err != nil {
		return err
	}
	return c.write(env, text, `"$schema"`)
}
