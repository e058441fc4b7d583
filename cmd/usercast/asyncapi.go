package main

import "github.com/usercast-go/usercast/schema"

// asyncapiCommand writes an AsyncAPI document.
type asyncapiCommand struct {
	source
	output
	Title       string `default:"Events" help:"What the document is about."`
	APIVersion  string `name:"api-version" default:"1.0.0" help:"Version of the events, as the application counts."`
	Description string `help:"A text in Markdown."`
	Host        string `default:"localhost:8080" help:"Where the hub is reached."`
	Path        string `default:"/ws" help:"Where its handler is mounted."`
	Insecure    bool   `help:"The protocol is ws and not wss."`
	TokenParam  string `default:"token" help:"URL parameter that may carry the token, - for none: JWTConfig.QueryParam."`
	Cookie      string `help:"Cookie that may carry the token: JWTConfig.Cookie."`
}

// Help shows examples.
func (asyncapiCommand) Help() string {
	return `Writes an AsyncAPI 3.0 document of all that goes over the WebSocket: the events in their
envelope, the hub's own messages, query parameters, tokens and close codes.

  usercast asyncapi ./internal/events -o docs/asyncapi.json --title Shop --host shop.example
  usercast asyncapi ./internal/events -o docs/asyncapi.json --title Shop --host shop.example --check`
}

// Run implements the command.
func (c *asyncapiCommand) Run(env *environment) error {
	if err := c.check(); err != nil {
		return err
	}
	d, err := c.describe(env)
	if err != nil {
		return err
	}
	text, err := schema.AsyncAPIFromDescription(d, schema.Info{
		Title:       c.Title,
		Version:     c.APIVersion,
		Description: c.Description,
		Host:        c.Host,
		Path:        c.Path,
		Insecure:    c.Insecure,
		TokenParam:  c.TokenParam,
		Cookie:      c.Cookie,
	})
	if err != nil {
		return err
	}
	return c.write(env, text, `"asyncapi"`)
}
