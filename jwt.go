package usercast

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// JWTConfig says which tokens to trust. Exactly one of Secret, Keys and Keyfunc is set.
type JWTConfig struct {
	// Secret is the key of HS256, HS384 or HS512: at least 32 bytes.
	Secret []byte
	// Keys are public keys by kid, for RS*, PS* (*rsa.PublicKey of 2048 bits or
	// more), ES* (*ecdsa.PublicKey) and EdDSA (ed25519.PublicKey). Tokens must
	// name one; to rotate, let the old and the new key stand side by side.
	Keys map[string]crypto.PublicKey
	// Keyfunc finds the key of a token, for instance by a JWKS client. What it
	// returns must fit Methods. It may be called from many goroutines.
	Keyfunc jwt.Keyfunc
	// Methods are the algorithms to accept, all of one key family. Required.
	Methods []string
	// Issuer and Audience are what iss and aud must say. Required, unless the
	// fields below allow any.
	Issuer, Audience                 string
	AllowAnyIssuer, AllowAnyAudience bool
	// Leeway is how far clocks may differ. 0: 5 s; at most 30 s.
	Leeway time.Duration
	// QueryParam is the URL parameter that may carry the token. "": "token"; "-":
	// none, for URLs end up in access logs. Browsers can use the subprotocol.
	QueryParam string
	// Cookie is the name of a cookie that may carry the token. "": none. A request
	// that relies on it must name an allowed Origin.
	Cookie string
}

// A JWT authenticates by JSON Web Tokens (RFC 7519, with the advice of RFC 8725).
// It is an [Authenticator] and a [TokenAuthenticator], and safe for concurrent use.
//
// The user is sub, a session is sid (or jti). exp is required. The token stands
// in the Authorization header, the bearer subprotocol, the URL or a cookie.
type JWT struct {
	source    tokenSource
	parser    *jwt.Parser
	validator *jwt.Validator
	keys      jwt.Keyfunc
	family    keyFamily
	leeway    time.Duration
}

const (
	defaultLeeway  = 5 * time.Second
	maxLeeway      = 30 * time.Second
	minSecretBytes = 32   // RFC 7518 §3.2
	minRSABits     = 2048 // RFC 7518 §3.3
)

// NewJWT checks the configuration; an error names the field and wraps
// [ErrInvalidConfig]. It copies what it keeps.
func NewJWT(cfg JWTConfig) (*JWT, error) {
	j := &JWT{leeway: cfg.Leeway, source: tokenSource{queryParam: cfg.QueryParam, cookie: cfg.Cookie}}
	switch cfg.QueryParam {
	case "":
		j.source.queryParam = "token"
	case "-":
		j.source.queryParam = ""
	}
	switch {
	case cfg.Leeway < 0 || cfg.Leeway > maxLeeway:
		return nil, configError("JWTConfig.Leeway", "%v, want 0 to %v", cfg.Leeway, maxLeeway)
	case cfg.Leeway == 0:
		j.leeway = defaultLeeway
	}
	if err := j.setMethods(cfg.Methods); err != nil {
		return nil, err
	}
	if err := j.setKeys(cfg); err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{jwt.WithExpirationRequired(), jwt.WithLeeway(j.leeway)}
	switch {
	case cfg.Issuer != "":
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	case !cfg.AllowAnyIssuer:
		return nil, configError("JWTConfig.Issuer", "empty; set it, or AllowAnyIssuer")
	}
	switch {
	case cfg.Audience != "":
		options = append(options, jwt.WithAudience(cfg.Audience))
	case !cfg.AllowAnyAudience:
		return nil, configError("JWTConfig.Audience", "empty; set it, or AllowAnyAudience")
	}
	j.validator = jwt.NewValidator(options...)
	// Claims are validated by ourselves, after their dates were clamped.
	j.parser = jwt.NewParser(jwt.WithValidMethods(slices.Clone(cfg.Methods)), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	return j, nil
}

// A keyFamily is what one kind of key can verify. Mixing families is how an RSA
// public key comes to be taken for an HMAC secret.
type keyFamily string

const (
	familyHMAC  keyFamily = "HMAC"
	familyRSA   keyFamily = "RSA"
	familyECDSA keyFamily = "ECDSA"
	familyEdDSA keyFamily = "EdDSA"
)

var families = map[string]keyFamily{
	"HS256": familyHMAC, "HS384": familyHMAC, "HS512": familyHMAC,
	"RS256": familyRSA, "RS384": familyRSA, "RS512": familyRSA,
	"PS256": familyRSA, "PS384": familyRSA, "PS512": familyRSA,
	"ES256": familyECDSA, "ES384": familyECDSA, "ES512": familyECDSA,
	"EdDSA": familyEdDSA,
}

func (j *JWT) setMethods(methods []string) error {
	if len(methods) == 0 {
		return configError("JWTConfig.Methods", `empty; name the algorithms to accept, for instance "HS256"`)
	}
	for _, m := range methods {
		f, ok := families[m]
		switch {
		case !ok:
			return configError("JWTConfig.Methods", "%q is not one of %v", m, slices.Sorted(maps.Keys(families)))
		case j.family != "" && j.family != f:
			return configError("JWTConfig.Methods", "%v mix key families", methods)
		}
		j.family = f
	}
	return nil
}

func (j *JWT) setKeys(cfg JWTConfig) error {
	given := 0
	for _, is := range []bool{cfg.Secret != nil, cfg.Keys != nil, cfg.Keyfunc != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return configError("JWTConfig", "%d of Secret, Keys and Keyfunc are set, want one", given)
	}
	switch {
	case cfg.Secret != nil:
		secret := slices.Clone(cfg.Secret)
		if err := j.family.checkKey(secret, nil); err != nil {
			return configError("JWTConfig.Secret", "%v", err)
		}
		j.keys = func(*jwt.Token) (any, error) { return secret, nil }
	case cfg.Keys != nil:
		if len(cfg.Keys) == 0 {
			return configError("JWTConfig.Keys", "empty")
		}
		keys := maps.Clone(cfg.Keys)
		for kid, key := range keys {
			if err := j.family.checkKey(key, nil); err != nil {
				return configError("JWTConfig.Keys", "%q: %v", kid, err)
			}
		}
		j.keys = func(t *jwt.Token) (any, error) {
			kid, _ := t.Header["kid"].(string)
			key, ok := keys[kid]
			if !ok {
				return nil, errors.New("the token's kid names no key")
			}
			return key, nil
		}
	default:
		j.keys = cfg.Keyfunc
	}
	return nil
}

// checkKey says why a key cannot be used, with method unless that is nil.
func (f keyFamily) checkKey(key any, method jwt.SigningMethod) error {
	switch key := key.(type) {
	case []byte:
		switch {
		case f != familyHMAC:
			return fmt.Errorf("a secret cannot verify %s", f)
		case len(key) < minSecretBytes:
			return fmt.Errorf("%d bytes, want at least %d", len(key), minSecretBytes)
		}
		return nil
	case *rsa.PublicKey:
		switch {
		case f != familyRSA:
			return fmt.Errorf("an RSA key cannot verify %s", f)
		case key == nil || key.N == nil || key.N.BitLen() < minRSABits:
			return fmt.Errorf("RSA key of less than %d bits", minRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if f != familyECDSA || key == nil || key.Curve == nil {
			return fmt.Errorf("an ECDSA key cannot verify %s", f)
		}
		if m, ok := method.(*jwt.SigningMethodECDSA); ok && m.CurveBits != key.Curve.Params().BitSize {
			return fmt.Errorf("%s needs another curve than the key's", m.Name)
		}
		return nil
	case ed25519.PublicKey:
		if f != familyEdDSA || len(key) != ed25519.PublicKeySize {
			return fmt.Errorf("an Ed25519 key cannot verify %s", f)
		}
		return nil
	}
	return fmt.Errorf("%T is no key for %s", key, f)
}

// Authenticate implements [Authenticator].
func (j *JWT) Authenticate(r *http.Request) (Identity, error) {
	token, ambient, err := j.source.find(r)
	if err != nil {
		return Identity{}, err
	}
	if ambient && r.Header.Get("Origin") == "" {
		return Identity{}, fmt.Errorf("%w: a cookie without an Origin header", ErrOrigin)
	}
	return j.AuthenticateToken(r.Context(), token)
}

// AuthenticateToken implements [TokenAuthenticator].
func (j *JWT) AuthenticateToken(_ context.Context, token string) (Identity, error) {
	if len(token) > maxTokenBytes {
		return Identity{}, fmt.Errorf("%w: over %d bytes", ErrTokenInvalid, maxTokenBytes)
	}
	if strings.ContainsAny(token, "\r\n") { // encoding/base64 passes over them
		return Identity{}, fmt.Errorf("%w: a line break in it", ErrTokenInvalid)
	}
	// MapClaims, not a struct: encoding/json matches a struct's fields whatever
	// their case, and SUB would be taken for sub.
	claims := jwt.MapClaims{}
	if _, err := j.parser.ParseWithClaims(token, claims, j.keyFor); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrTokenInvalid, err)
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		clampDate(claims, name)
	}
	switch err := j.validator.Validate(claims); {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Identity{}, ErrTokenExpired
	case err != nil:
		return Identity{}, fmt.Errorf("%w: %w", ErrTokenInvalid, err)
	}
	return j.identity(claims)
}

// keyFor finds the key of a token whose method is one of ours, and makes sure
// that they belong together.
func (j *JWT) keyFor(t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errors.New("crit names extensions, and none is understood") // RFC 7515 §4.1.11
	}
	key, err := j.keys(t)
	if err != nil {
		return nil, err
	}
	if set, ok := key.(jwt.VerificationKeySet); ok {
		for _, k := range set.Keys {
			if err := j.family.checkKey(k, t.Method); err != nil {
				return nil, err
			}
		}
		return set, nil
	}
	return key, j.family.checkKey(key, t.Method)
}

func (j *JWT) identity(claims jwt.MapClaims) (Identity, error) {
	sub, _ := claims["sub"].(string)
	if err := checkUser(sub); err != nil {
		return Identity{}, fmt.Errorf("%w: sub: %w", ErrTokenInvalid, err)
	}
	// encoding/json puts this rune in the place of what is not UTF-8: different
	// subjects would become the same user.
	if strings.ContainsRune(sub, utf8.RuneError) {
		return Identity{}, fmt.Errorf("%w: sub is not UTF-8", ErrTokenInvalid)
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return Identity{}, fmt.Errorf("%w: exp", ErrTokenInvalid)
	}
	session, _ := claims["sid"].(string)
	if session == "" {
		session, _ = claims["jti"].(string)
	}
	if len(session) > MaxUserIDBytes {
		session = strings.ToValidUTF8(session[:MaxUserIDBytes], "")
	}
	return Identity{UserID: sub, SessionID: session, ExpiresAt: exp.Time, leeway: j.leeway}, nil
}

// clampDate keeps a NumericDate within the years that a time can hold: seconds
// beyond them overflow, on some machines into the past and on others not.
func clampDate(claims jwt.MapClaims, name string) {
	if v, ok := claims[name].(float64); ok {
		claims[name] = min(max(v, 1), float64(maxTimestamp/1e6))
	}
}
