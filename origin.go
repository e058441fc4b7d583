package usercast

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// An origin is what a browser says of the page that opens a connection (RFC 6454
// §6.1), in lower case and with the port always there.
type origin struct{ scheme, host, port string }

// defaultPorts are those that an Origin header leaves out.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// parseOrigin reads an Origin header. "null", a path, a user or a scheme without
// a known port make it no origin that could ever be allowed.
func parseOrigin(s string) (origin, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" ||
		u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.HasSuffix(s, "#") {
		return origin{}, false
	}
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	if o.port == "" {
		o.port = defaultPorts[o.scheme]
	}
	// A host that ends in ":" or "." is spelled so by no browser.
	return o, o.host != "" && o.port != "" && !strings.HasSuffix(u.Host, ":") && !strings.HasSuffix(o.host, ".")
}

// An originPattern is one of Config.OriginPatterns.
type originPattern struct {
	scheme     string // "": http or https
	host       string
	subdomains bool   // host and its dot come after at least one more label
	port       string // "": the scheme's own; "*": any
}

// parseOriginPattern reads [scheme://]host[:port]. The host may begin with "*.",
// and the port may be "*".
func parseOriginPattern(s string) (p originPattern, problem string) {
	rest := strings.ToLower(s)
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if p.scheme, rest = scheme, after; defaultPorts[scheme] == "" {
			return p, "the scheme must be http or https"
		}
	}
	// The port is behind the last colon, unless that is inside an IPv6 literal.
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		rest, p.port = rest[:i], rest[i+1:]
		if p.port == "" || p.port != "*" && strings.Trim(p.port, "0123456789") != "" {
			return p, `the port must be a number or "*"`
		}
	}
	if ip, ok := strings.CutPrefix(rest, "["); ok {
		ip, ok = strings.CutSuffix(ip, "]")
		if _, err := netip.ParseAddr(ip); !ok || err != nil {
			return p, "the host is not an IPv6 address in brackets"
		}
		p.host = ip
		return p, ""
	}
	p.host, p.subdomains = strings.CutPrefix(rest, "*.")
	switch {
	case p.host == "":
		return p, "the host is missing"
	case strings.ContainsAny(p.host, "*?[]\\"):
		return p, `a wildcard may only stand for whole labels in front, as in "*.example.com"`
	case strings.Trim(p.host, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "":
		return p, "the host has characters that no host name has; write it in ASCII (punycode), without a path"
	case p.subdomains && !strings.Contains(p.host, "."):
		return p, "a wildcard over a whole top-level domain would let anyone in"
	case strings.HasPrefix(p.host, ".") || strings.HasSuffix(p.host, ".") || strings.Contains(p.host, ".."):
		return p, "the host has an empty label"
	}
	return p, ""
}

func (p originPattern) allows(o origin) bool {
	if p.scheme != "" && p.scheme != o.scheme {
		return false
	}
	if defaultPorts[o.scheme] == "" {
		return false
	}
	switch p.port {
	case "*":
	case "":
		if o.port != defaultPorts[o.scheme] {
			return false
		}
	default:
		if o.port != p.port {
			return false
		}
	}
	if p.subdomains {
		return strings.HasSuffix(o.host, "."+p.host) && len(o.host) > len(p.host)+1
	}
	return o.host == p.host
}

// allowedOrigin says whether the page that opens the connection may. Other sites'
// pages can, with the user's cookies, unless the server looks (RFC 6455 §10.2). A
// request without the header does not come from a browser.
func allowedOrigin(r *http.Request, patterns []originPattern) bool {
	headers := r.Header.Values("Origin")
	if len(headers) == 0 {
		return true
	}
	o, ok := parseOrigin(headers[0])
	if !ok || len(headers) > 1 {
		return false
	}
	if sameHost(o, r) {
		return true
	}
	for _, p := range patterns {
		if p.allows(o) {
			return true
		}
	}
	return false
}

// sameHost says whether the page comes from where the request goes to. A page
// that was fetched without TLS may have been written by anyone on the way, so it
// may not reach into a server with TLS, as far as this process or the proxy in
// front of it knows of it.
func sameHost(o origin, r *http.Request) bool {
	secure := r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	if o.scheme != "https" && (o.scheme != "http" || secure) {
		return false
	}
	self, ok := parseOrigin(o.scheme + "://" + r.Host)
	return ok && self == o
}
