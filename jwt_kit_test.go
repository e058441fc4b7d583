package usercast

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var jwtSecret = bytes.Repeat([]byte("k"), minSecretBytes)

// jwtConfig trusts HS256 with jwtSecret, and what change makes of that.
func jwtConfig(change func(*JWTConfig)) JWTConfig {
	cfg := JWTConfig{Secret: jwtSecret, Methods: []string{"HS256"}, Issuer: "https://id.example", Audience: "orders"}
	if change != nil {
		change(&cfg)
	}
	return cfg
}

// keysConfig trusts keys instead.
func keysConfig(method string, keys map[string]crypto.PublicKey) JWTConfig {
	return jwtConfig(func(c *JWTConfig) { c.Secret, c.Keys, c.Methods = nil, keys, []string{method} })
}

// keyfuncConfig trusts whatever key is.
func keyfuncConfig(method string, key any) JWTConfig {
	return jwtConfig(func(c *JWTConfig) {
		c.Secret, c.Methods = nil, []string{method}
		c.Keyfunc = func(*jwt.Token) (any, error) { return key, nil }
	})
}

func mustJWT(t testing.TB, cfg JWTConfig) *JWT {
	t.Helper()
	j, err := NewJWT(cfg)
	if err != nil {
		t.Fatalf("NewJWT: %v", err)
	}
	return j
}

// jwtFields are the members of a token's header or claims.
type jwtFields map[string]any

// jwtClaims are those of a good token for alice, changed; nil removes one.
func jwtClaims(change jwtFields) jwtFields {
	c := jwtFields{"iss": "https://id.example", "aud": "orders", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// mintJWT signs a token. It takes any claims, also those that golang-jwt would not write.
func mintJWT(t testing.TB, alg string, key any, header, claims jwtFields) string {
	t.Helper()
	h := jwtFields{"alg": alg, "typ": "JWT"}
	maps.Copy(h, header)
	segment := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := segment(h) + "." + segment(claims)
	sig, err := jwt.GetSigningMethod(alg).Sign(text, key)
	if err != nil {
		t.Fatalf("signing by %s: %v", alg, err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// mintHS signs a token that jwtConfig trusts, unless its claims say otherwise.
func mintHS(t testing.TB, change jwtFields) string {
	t.Helper()
	return mintJWT(t, "HS256", jwtSecret, nil, jwtClaims(change))
}

// mintUntil signs a good token for a user.
func mintUntil(t testing.TB, user string, end time.Time) string {
	t.Helper()
	return mintHS(t, jwtFields{"sub": user, "exp": end.Unix()})
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return freshKey(rsa.GenerateKey(rand.Reader, minRSABits)) })

func ecdsaKey(c elliptic.Curve) *ecdsa.PrivateKey { return freshKey(ecdsa.GenerateKey(c, rand.Reader)) }

func edKey() ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return freshKey(key, err)
}

func freshKey[K any](key K, err error) K {
	if err != nil {
		panic(err)
	}
	return key
}

// jwtNumber is JSON that no Go number can be marshalled to.
func jwtNumber(s string) json.RawMessage { return json.RawMessage(s) }

// mintSized signs a good token of exactly n bytes.
func mintSized(t testing.TB, n int) string {
	t.Helper()
	// Base64 has no segment of 4k+1 bytes, so the header makes up for some lengths.
	for header := range 3 {
		for pad := n*3/4 - 400; pad < n; pad++ {
			token := mintJWT(t, "HS256", jwtSecret, jwtFields{"x": strings.Repeat("x", header)}, jwtClaims(jwtFields{"pad": strings.Repeat("x", pad)}))
			if len(token) == n {
				return token
			} else if len(token) > n {
				break
			}
		}
	}
	t.Fatalf("no token has %d bytes", n)
	return ""
}

func ed25519Pair(t testing.TB) (ed25519.PrivateKey, ed25519.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}
