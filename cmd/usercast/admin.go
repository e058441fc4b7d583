package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// adminFlags is the part of a command line that says how to reach usercast.Admin.
type adminFlags struct {
	URL       string `name:"url" env:"USERCAST_ADMIN_URL" placeholder:"URL" help:"Where the application has mounted usercast.Admin: https://shop.example.com/admin/usercast."`
	Token     string `env:"USERCAST_ADMIN_TOKEN" placeholder:"TOKEN" help:"What usercast.AdminToken was given. Other users of the machine see arguments: better name a file or set the variable."`
	TokenFile string `type:"path" placeholder:"FILE" help:"File with the token. A line break at its end is left out."`
}

// An admin talks to the admin handler of a hub.
type admin struct {
	base  *url.URL
	token string
	http  *http.Client
}

// open checks the flags. No error has a part of the token in it, nor of an address
// that does not parse, for a password may stand there.
func (f adminFlags) open() (*admin, error) {
	if f.URL == "" {
		return nil, errors.New("no address: give --url, or set USERCAST_ADMIN_URL")
	}
	u, err := url.Parse(f.URL)
	switch {
	case err != nil:
		return nil, errors.New("--url does not parse, want https://host/path")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("--url: want https://host/path or http://host/path")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("--url: want the address alone, without a password, ? or #")
	}
	token := f.Token
	if f.TokenFile != "" {
		b, err := readSecret(f.TokenFile)
		if err != nil {
			return nil, err
		}
		token = string(b)
	}
	switch {
	case token == "":
		return nil, errors.New("no admin token: name a file by --token-file, or set USERCAST_ADMIN_TOKEN")
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return nil, errors.New("the admin token has characters that no header can carry; is there a line break in it?")
	}
	return &admin{base: u, token: token, http: &http.Client{
		Timeout: 30 * time.Second,
		// Wherever it points, the token is not for there.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (a *admin) address(route string) string { return a.base.JoinPath(route).String() }

// maxAnswer is more than the counters and the catalog of any hub take.
const maxAnswer = 8 << 20

// call asks one route of the admin handler; in is the body, nil for a GET.
func (a *admin) call(ctx context.Context, route string, in, out any) error {
	method, body := http.MethodGet, io.Reader(nil)
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		method, body = http.MethodPost, bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.address(route), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return a.refusal(resp, b)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s answers something else than usercast.Admin: %w", a.address(route), err)
	}
	return nil
}

// refusal says what the handler has against a request, as far as it is the handler
// that answers.
func (a *admin) refusal(resp *http.Response, body []byte) error {
	var said struct{ Error, Field, Fix string }
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		return fmt.Errorf("%s answers %s: is usercast.Admin mounted there?", resp.Request.URL, resp.Status)
	}
	text := printable(said.Error)
	if said.Field != "" {
		text = said.Field + ": " + text
	}
	if said.Fix != "" {
		text += " (" + said.Fix + ")"
	}
	return fmt.Errorf("refused with %d: %s", resp.StatusCode, strings.ReplaceAll(text, a.token, "[token]"))
}
