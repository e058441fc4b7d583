package usercast

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func TestJWTMethods(t *testing.T) {
	p256, p384, p521, ed := ecdsaKey(elliptic.P256()), ecdsaKey(elliptic.P384()), ecdsaKey(elliptic.P521()), edKey()
	for _, c := range []struct {
		alg     string
		private crypto.Signer
	}{
		{"RS256", rsaKey()}, {"RS512", rsaKey()}, {"PS256", rsaKey()}, {"PS384", rsaKey()},
		{"ES256", p256}, {"ES384", p384}, {"ES512", p521}, {"EdDSA", ed},
	} {
		j := mustJWT(t, keysConfig(c.alg, map[string]crypto.PublicKey{"2026": c.private.Public()}))
		token := mintJWT(t, c.alg, c.private, jwtFields{"kid": "2026"}, jwtClaims(nil))
		if id, err := j.AuthenticateToken(context.Background(), token); err != nil || id.UserID != "alice" {
			t.Errorf("%s: got %q and %v, want alice", c.alg, id.UserID, err)
		}
		forged := token[:len(token)-8] + strings.Repeat("A", 8)
		if id, err := j.AuthenticateToken(context.Background(), forged); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s, forged: got %q and %v, want ErrTokenInvalid", c.alg, id.UserID, err)
		}
	}
}

// A key serves its own family and, on curves, its own method.
func TestJWTBindsKeysToMethods(t *testing.T) {
	pub := &rsaKey().PublicKey
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	p256, p384 := ecdsaKey(elliptic.P256()), ecdsaKey(elliptic.P384())
	kid := jwtFields{"kid": "2026"}
	es256 := mintJWT(t, "ES256", p256, kid, jwtClaims(nil))
	// A small curve's signature fits where a large one's is expected: golang-jwt would
	// not write this token, but it would verify it.
	small := mintJWT(t, "ES384", p384, kid, jwtClaims(nil))
	small = small[:strings.LastIndexByte(small, '.')]
	digest := sha512.Sum384([]byte(small))
	r, s, err := ecdsa.Sign(rand.Reader, p256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	small += "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...))
	for name, c := range map[string]struct {
		cfg   JWTConfig
		token string
	}{
		"RSA key as a secret":        {keysConfig("RS256", map[string]crypto.PublicKey{"2026": pub}), mintJWT(t, "HS256", public, kid, jwtClaims(nil))},
		"PEM from Keyfunc for RS256": {keyfuncConfig("RS256", public), mintJWT(t, "HS256", public, kid, jwtClaims(nil))},
		"RSA key for HS256":          {keyfuncConfig("HS256", pub), mintJWT(t, "HS256", public, nil, jwtClaims(nil))},
		"empty secret":               {keyfuncConfig("HS256", []byte{}), mintJWT(t, "HS256", []byte{}, nil, jwtClaims(nil))},
		"nil secret":                 {keyfuncConfig("HS256", []byte(nil)), mintJWT(t, "HS256", []byte{}, nil, jwtClaims(nil))},
		"short secret":               {keyfuncConfig("HS256", jwtSecret[1:]), mintJWT(t, "HS256", jwtSecret[1:], nil, jwtClaims(nil))},
		"short secret in a set": {keyfuncConfig("HS256", jwt.VerificationKeySet{Keys: []jwt.VerificationKey{jwtSecret, []byte{}}}),
			mintJWT(t, "HS256", []byte{}, nil, jwtClaims(nil))},
		"empty set":            {keyfuncConfig("HS256", jwt.VerificationKeySet{}), mintHS(t, nil)},
		"no key":               {keyfuncConfig("HS256", nil), mintJWT(t, "HS256", []byte{}, nil, jwtClaims(nil))},
		"none from Keyfunc":    {keyfuncConfig("HS256", jwt.UnsafeAllowNoneSignatureType), mintJWT(t, "none", jwt.UnsafeAllowNoneSignatureType, nil, jwtClaims(nil))},
		"ES256 by P-384's kid": {keysConfig("ES256", map[string]crypto.PublicKey{"2026": &p384.PublicKey}), es256},
		"ES384 by P-256's kid": {keysConfig("ES384", map[string]crypto.PublicKey{"2026": &p256.PublicKey}), small},
		"ES384 from Keyfunc":   {keyfuncConfig("ES384", &p256.PublicKey), small},
		"ES256 from Keyfunc":   {keyfuncConfig("ES256", &p384.PublicKey), es256},
		"RS256, PS256 trusted": {keysConfig("PS256", map[string]crypto.PublicKey{"2026": pub}), mintJWT(t, "RS256", rsaKey(), kid, jwtClaims(nil))},
	} {
		j := mustJWT(t, c.cfg)
		if id, err := j.AuthenticateToken(context.Background(), c.token); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s: got %q and %v, want ErrTokenInvalid", name, id.UserID, err)
		}
	}
	// The same ways with keys that fit.
	set := jwt.VerificationKeySet{Keys: []jwt.VerificationKey{bytes.Repeat([]byte("old!"), 8), jwtSecret}}
	for name, c := range map[string]struct {
		cfg   JWTConfig
		token string
	}{
		"Keyfunc":          {keyfuncConfig("ES256", &p256.PublicKey), es256},
		"set from Keyfunc": {keyfuncConfig("HS256", set), mintHS(t, nil)},
	} {
		if _, err := mustJWT(t, c.cfg).AuthenticateToken(context.Background(), c.token); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

// Two keys stand side by side while one takes the other's place.
func TestJWTKid(t *testing.T) {
	older, newer := edKey(), edKey()
	j := mustJWT(t, keysConfig("EdDSA", map[string]crypto.PublicKey{"2025": older.Public(), "2026": newer.Public()}))
	for name, c := range map[string]struct {
		kid  any // nil: none
		key  ed25519.PrivateKey
		good bool
	}{
		"older":          {"2025", older, true},
		"newer":          {"2026", newer, true},
		"another's":      {"2025", newer, false},
		"unknown":        {"2024", newer, false},
		"missing":        {nil, newer, false},
		"empty":          {"", newer, false},
		"a number":       {2026, newer, false},
		"a list":         {[]string{"2026"}, newer, false},
		"path traversal": {"../../2026", newer, false},
		"injection":      {"2026' OR '1'='1", newer, false},
		"padded":         {"2026\x00", newer, false},
	} {
		header := jwtFields{}
		if c.kid != nil {
			header["kid"] = c.kid
		}
		_, err := j.AuthenticateToken(context.Background(), mintJWT(t, "EdDSA", c.key, header, jwtClaims(nil)))
		if c.good && err != nil || !c.good && !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("kid %s: got %v, want good: %v", name, err, c.good)
		}
	}
}
