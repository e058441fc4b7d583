package usercast

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// mustOrigins is what New makes of Config.OriginPatterns.
func mustOrigins(t testing.TB, patterns ...string) []originPattern {
	t.Helper()
	p, err := parseOrigins(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// originRequest comes to app.example.com, from the pages that are named.
func originRequest(origins ...string) *http.Request {
	return &http.Request{Host: "app.example.com", Header: http.Header{"Origin": origins}}
}

// Without patterns only the host's own pages may connect.
func TestOriginSameHost(t *testing.T) {
	for origin, want := range map[string]bool{
		"https://app.example.com":      true,
		"http://app.example.com":       true, // nobody said that the server has TLS
		"https://app.example.com:443":  true,
		"HTTPS://APP.Example.COM":      true,
		"http://app.example.com:80":    true,
		"https://app.example.com:80":   false,
		"http://app.example.com:443":   false,
		"https://app.example.com:8443": false,
		"https://app.example.com:0443": false,

		"":                                  false,
		"null":                              false,
		"app.example.com":                   false,
		"//app.example.com":                 false,
		"https:app.example.com":             false,
		"https://":                          false,
		"https://evil.example":              false,
		"https://evilapp.example.com":       false,
		"https://app.example.com.evil.test": false,
		"https://example.com":               false,
		"https://a.app.example.com":         false,
		"https://app.example.com.":          false,
		"https://app.example.com:":          false,
		"https://app.example.com/":          false,
		"https://app.example.com/path":      false,
		"https://app.example.com?":          false,
		"https://app.example.com?q":         false,
		"https://app.example.com#":          false,
		"https://app.example.com#f":         false,
		"https://app.example.com@evil.test": false,
		"https://evil@app.example.com":      false,
		"https://@app.example.com":          false,
		"https://app.example.com\\@evil":    false,
		"https://app.example.com evil.test": false,
		"https://app.example.com\x00":       false,
		"https://app%2eexample.com":         false,
		"https://аpp.example.com":           false, // a Cyrillic а
		"ftp://app.example.com":             false,
		"ws://app.example.com":              false,
		"file://app.example.com":            false,
		"chrome-extension://abcdefgh":       false,
		"javascript:app.example.com":        false,
		"https://[app.example.com]":         false,
	} {
		if got := allowedOrigin(originRequest(origin), nil); got != want {
			t.Errorf("origin %q: got %v, want %v", origin, got, want)
		}
	}
}

func TestOriginPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		allowed []string
		refused []string
	}{
		{"example.com",
			[]string{"https://example.com", "http://example.com", "https://EXAMPLE.com", "https://example.com:443"},
			[]string{"https://evilexample.com", "https://example.com.evil.test", "https://www.example.com", "https://example.com.",
				"https://example.com:8443", "https://example.co", "https://xample.com", "ftp://example.com", "null"}},
		{"EXAMPLE.com", []string{"https://example.com"}, []string{"https://example.org"}},
		{"https://example.com", []string{"https://example.com"}, []string{"http://example.com", "http://example.com:443", "https://example.com:80"}},
		{"http://example.com", []string{"http://example.com"}, []string{"https://example.com", "https://example.com:80"}},
		{"*.example.com",
			[]string{"https://a.example.com", "http://a.b.example.com", "https://A.EXAMPLE.COM"},
			[]string{"https://example.com", "https://evilexample.com", "https://.example.com", "https://a.example.com.evil.test",
				"https://a.example.com.", "https://a.example.com:8443", "https://a.example.com@evil.test", "https://a.example.com/"}},
		{"https://*.example.com:8443",
			[]string{"https://a.example.com:8443"},
			[]string{"https://a.example.com", "http://a.example.com:8443", "https://example.com:8443", "https://a.example.com:84430"}},
		{"localhost:*",
			[]string{"http://localhost", "http://localhost:5173", "https://localhost:1"},
			[]string{"http://localhost.evil.test:5173", "http://localhost@evil.test", "ws://localhost:5173", "http://127.0.0.1:5173"}},
		{"localhost:5173", []string{"http://localhost:5173"}, []string{"http://localhost", "http://localhost:51730"}},
		{"127.0.0.1:8080", []string{"http://127.0.0.1:8080"}, []string{"http://127.0.0.1", "http://2130706433:8080"}},
		{"[::1]:8080", []string{"http://[::1]:8080"}, []string{"http://[::1]", "http://[::2]:8080"}},
		{"[::1]", []string{"https://[::1]", "http://[::1]:80"}, []string{"http://[::1]:81"}},
		{"null", []string{"https://null"}, []string{"null"}}, // a host, not the origin of a sandbox
		{"xn--bcher-kva.example", []string{"https://xn--bcher-kva.example"}, []string{"https://bücher.example", "https://bucher.example"}},
	} {
		patterns := mustOrigins(t, c.pattern)
		for _, o := range c.allowed {
			if !allowedOrigin(originRequest(o), patterns) {
				t.Errorf("pattern %q: %q got refused, want it allowed", c.pattern, o)
			}
		}
		for _, o := range c.refused {
			if allowedOrigin(originRequest(o), patterns) {
				t.Errorf("pattern %q: %q got allowed, want it refused", c.pattern, o)
			}
		}
	}
}

func TestOriginHeaders(t *testing.T) {
	patterns := mustOrigins(t, "partner.example", "other.example")
	for name, c := range map[string]struct {
		origins []string
		want    bool
	}{
		"none":             {nil, true}, // no browser: those always send one
		"an empty one":     {[]string{""}, false},
		"the second of 2":  {[]string{"https://partner.example"}, true},
		"the last pattern": {[]string{"https://other.example"}, true},
		"two good":         {[]string{"https://partner.example", "https://partner.example"}, false},
		"good, then evil":  {[]string{"https://app.example.com", "https://evil.example"}, false},
		"two in one":       {[]string{"https://partner.example https://evil.example"}, false},
		"two by comma":     {[]string{"https://partner.example,https://evil.example"}, false},
	} {
		if got := allowedOrigin(originRequest(c.origins...), patterns); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// A page that came without TLS may not reach into a server with TLS, unless a
// pattern says so.
func TestOriginScheme(t *testing.T) {
	for name, c := range map[string]struct {
		origin    string
		host      string
		tls       bool
		forwarded string
		patterns  []string
		want      bool
	}{
		"plain to plain":        {origin: "http://app.example.com", want: true},
		"TLS to plain":          {origin: "https://app.example.com", want: true}, // a proxy that says nothing
		"TLS to TLS":            {origin: "https://app.example.com", tls: true, want: true},
		"plain to TLS":          {origin: "http://app.example.com", tls: true},
		"plain to a TLS proxy":  {origin: "http://app.example.com", forwarded: "https"},
		"plain to HTTPS":        {origin: "http://app.example.com", forwarded: "HTTPS"},
		"plain to plain proxy":  {origin: "http://app.example.com", forwarded: "http", want: true},
		"TLS to a TLS proxy":    {origin: "https://app.example.com", forwarded: "https", want: true},
		"TLS claim by header":   {origin: "http://app.example.com", tls: true, forwarded: "http"},
		"pattern allows plain":  {origin: "http://app.example.com", tls: true, patterns: []string{"http://app.example.com"}, want: true},
		"host with port":        {origin: "https://app.example.com:8443", host: "app.example.com:8443", tls: true, want: true},
		"host without its port": {origin: "https://app.example.com:8443", host: "app.example.com", tls: true},
		"origin without port":   {origin: "https://app.example.com", host: "app.example.com:8443", tls: true},
		"host in upper case":    {origin: "https://app.example.com", host: "APP.example.com", tls: true, want: true},
		"IPv6":                  {origin: "https://[2001:db8::1]:8443", host: "[2001:db8::1]:8443", tls: true, want: true},
		"another IPv6":          {origin: "https://[2001:db8::2]:8443", host: "[2001:db8::1]:8443", tls: true},
		"host with a user":      {origin: "https://evil.test", host: "app.example.com@evil.test", tls: true},
		"host with a path":      {origin: "https://evil.test", host: "evil.test/app.example.com", tls: true},
		"no host":               {origin: "https://", host: " ", tls: true},
	} {
		r := originRequest(c.origin)
		if c.host != "" {
			r.Host = c.host
		}
		if c.tls {
			r.TLS = new(tls.ConnectionState)
		}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-Proto", c.forwarded)
		}
		if got := allowedOrigin(r, mustOrigins(t, c.patterns...)); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestNewRefusesOriginPatterns(t *testing.T) {
	for _, pattern := range []string{
		"", " ", "*", "*.", "*.com", "*.*", "*.*.example.com", "**.example.com", "*example.com", "exa*mple.com", "example.*", "example.com*",
		"a.*.example.com", "?.example.com", "[a-z].example.com", "https://*", "https://*:443", "https://*.com",
		"https://", "://example.com", "ftp://x.com", "ws://x.com", "*://x.com", "a b", "example.com/", "example.com/path",
		"https://example.com/", "https://example.com?q", "user@example.com", "https://a@b", "example.com,example.org", "example.com.", ".example.com",
		"a..example.com", "*..example.com", "*.example.com.", "bücher.example", "example.com:", "example.com:http", "example.com:-1",
		"example.com:80*", ":8080", ":*", "::1", "::1:8080", "[::1", "[::1]]", "[example.com]", "[]", "[::1]8080", "[::1]:", "example.com\x00", "example.com\n",
	} {
		_, err := New(Config{Auth: userAuth, OriginPatterns: []string{"good.example", pattern}})
		if !errors.Is(err, ErrInvalidConfig) {
			t.Errorf("%q: got %v, want ErrInvalidConfig", pattern, err)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "Config.OriginPatterns: "+strconv.Quote(pattern)) {
			t.Errorf("%q: got %q, want it to name Config.OriginPatterns and the pattern", pattern, text)
		}
	}
}

func FuzzOriginPatterns(f *testing.F) {
	for _, s := range [][2]string{
		{"example.com", "https://evilexample.com"},
		{"*.example.com", "https://a.example.com"},
		{"*.example.com", "https://example.com.evil.test"},
		{"https://example.com:*", "https://example.com:1"},
		{"[::1]:8080", "http://[::1]:8080"},
		{"[fe80::1%25eth0]", "http://[fe80::1%25eth0]"},
		{"*.x.y:1", "https://.x.y:1"},
		{"\u212aelvin.example", "https://kelvin.example"},
		{"https://é", "https://%C3%A9"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, header string) {
		allowedOrigin(&http.Request{Host: pattern, Header: http.Header{"Origin": {header}}}, nil)
		p, problem := parseOriginPattern(pattern)
		if problem != "" {
			return
		}
		// A pattern without a wildcard must at least let in the page it names.
		if !p.subdomains && p.port != "*" && strings.Contains(pattern, "://") && !strings.Contains(pattern, "%") {
			if o, ok := parseOrigin(pattern); ok && !p.allows(o) {
				t.Errorf("pattern %q does not allow itself", pattern)
			}
		}
		o, ok := parseOrigin(header)
		if !ok || !p.allows(o) {
			return
		}
		_, host, _ := strings.Cut(strings.ToLower(pattern), "://")
		if host == "" {
			host = strings.ToLower(pattern)
		}
		if sub, wild := strings.CutPrefix(host, "*."); wild {
			sub, _, _ = strings.Cut(sub, ":")
			if label, ok := strings.CutSuffix(o.host, "."+sub); !ok || label == "" {
				t.Errorf("pattern %q allows host %q, want one that ends in .%s", pattern, o.host, sub)
			}
			return
		}
		bare := strings.Trim(host[:portAt(host)], "[]")
		if o.host != bare {
			t.Errorf("pattern %q allows host %q, want only %q", pattern, o.host, bare)
		}
	})
}

// portAt returns where the colon before a port stands, or the length.
func portAt(hostport string) int {
	if i := strings.LastIndexByte(hostport, ':'); i > strings.LastIndexByte(hostport, ']') {
		return i
	}
	return len(hostport)
}
