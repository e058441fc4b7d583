package usercast

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

func TestNewJWTRefuses(t *testing.T) {
	p256, ed := ecdsaKey(elliptic.P256()), edKey()
	weak := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}
	key := func(method string, k crypto.PublicKey) func(*JWTConfig) {
		return func(c *JWTConfig) { *c = keysConfig(method, map[string]crypto.PublicKey{"2026": k}) }
	}
	for name, c := range map[string]struct {
		change func(*JWTConfig)
		names  string // what the error must speak of
	}{
		"no methods":       {func(c *JWTConfig) { c.Methods = nil }, "JWTConfig.Methods"},
		"unknown method":   {func(c *JWTConfig) { c.Methods = []string{"HS257"} }, "JWTConfig.Methods"},
		"method none":      {func(c *JWTConfig) { c.Methods = []string{"none"} }, "JWTConfig.Methods"},
		"method hs256":     {func(c *JWTConfig) { c.Methods = []string{"hs256"} }, "JWTConfig.Methods"},
		"mixed families":   {func(c *JWTConfig) { c.Methods = []string{"HS256", "RS256"} }, "JWTConfig.Methods"},
		"mixed curves":     {func(c *JWTConfig) { c.Methods = []string{"ES256", "EdDSA"} }, "JWTConfig.Methods"},
		"empty secret":     {func(c *JWTConfig) { c.Secret = []byte{} }, "JWTConfig.Secret"},
		"short secret":     {func(c *JWTConfig) { c.Secret = c.Secret[:minSecretBytes-1] }, "JWTConfig.Secret"},
		"secret for RS256": {func(c *JWTConfig) { c.Methods = []string{"RS256"} }, "JWTConfig.Secret"},
		"no key":           {func(c *JWTConfig) { c.Secret = nil }, "Secret, Keys and Keyfunc"},
		"two keys":         {func(c *JWTConfig) { c.Keyfunc = func(*jwt.Token) (any, error) { return nil, nil } }, "Secret, Keys and Keyfunc"},
		"no issuer":        {func(c *JWTConfig) { c.Issuer = "" }, "JWTConfig.Issuer"},
		"no audience":      {func(c *JWTConfig) { c.Audience = "" }, "JWTConfig.Audience"},
		"negative leeway":  {func(c *JWTConfig) { c.Leeway = -1 }, "JWTConfig.Leeway"},
		"long leeway":      {func(c *JWTConfig) { c.Leeway = maxLeeway + 1 }, "JWTConfig.Leeway"},
		"empty keys":       {func(c *JWTConfig) { *c = keysConfig("RS256", map[string]crypto.PublicKey{}) }, "JWTConfig.Keys"},
		"weak RSA":         {key("RS256", weak), `JWTConfig.Keys: "2026"`},
		"RSA without N":    {key("RS256", &rsa.PublicKey{E: 3}), `JWTConfig.Keys: "2026"`},
		"nil RSA":          {key("RS256", (*rsa.PublicKey)(nil)), `JWTConfig.Keys: "2026"`},
		"nil ECDSA":        {key("ES256", (*ecdsa.PublicKey)(nil)), `JWTConfig.Keys: "2026"`},
		"ECDSA no curve":   {key("ES256", &ecdsa.PublicKey{}), `JWTConfig.Keys: "2026"`},
		"nil Ed25519":      {key("EdDSA", ed25519.PublicKey(nil)), `JWTConfig.Keys: "2026"`},
		"short Ed25519":    {key("EdDSA", ed25519.PublicKey(make([]byte, 31))), `JWTConfig.Keys: "2026"`},
		"nil key":          {key("RS256", nil), `JWTConfig.Keys: "2026"`},
		"RSA for ES256":    {key("ES256", &rsaKey().PublicKey), `JWTConfig.Keys: "2026"`},
		"RSA for HS256":    {key("HS256", &rsaKey().PublicKey), `JWTConfig.Keys: "2026"`},
		"ECDSA for EdDSA":  {key("EdDSA", &p256.PublicKey), `JWTConfig.Keys: "2026"`},
		"Ed25519 for PS":   {key("PS256", ed.Public()), `JWTConfig.Keys: "2026"`},
		"a private key":    {key("ES256", p256), `JWTConfig.Keys: "2026"`},
		"PEM":              {key("RS256", "-----BEGIN PUBLIC KEY-----"), `JWTConfig.Keys: "2026"`},
	} {
		_, err := NewJWT(jwtConfig(c.change))
		if !errors.Is(err, ErrInvalidConfig) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: got %v, want ErrInvalidConfig that names %s", name, err, c.names)
		}
	}
}

func TestNewJWTAccepts(t *testing.T) {
	for name, change := range map[string]func(*JWTConfig){
		"the plainest": nil,
		"a family":     func(c *JWTConfig) { c.Methods = []string{"HS256", "HS384", "HS512"} },
		"any issuer":   func(c *JWTConfig) { c.Issuer, c.AllowAnyIssuer = "", true },
		"any audience": func(c *JWTConfig) { c.Audience, c.AllowAnyAudience = "", true },
		"most leeway":  func(c *JWTConfig) { c.Leeway = maxLeeway },
	} {
		if _, err := NewJWT(jwtConfig(change)); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

// A caller may reuse or wipe what it passed in.
func TestNewJWTCopies(t *testing.T) {
	methods, secret := []string{"HS256"}, bytes.Clone(jwtSecret)
	j := mustJWT(t, jwtConfig(func(c *JWTConfig) { c.Methods, c.Secret = methods, secret }))
	clear(secret)
	if _, err := j.AuthenticateToken(context.Background(), mintHS(t, nil)); err != nil {
		t.Errorf("after the secret was wiped: %v", err)
	}
	methods[0] = "HS512"
	if _, err := j.AuthenticateToken(context.Background(), mintHS(t, nil)); err != nil {
		t.Errorf("after Methods was overwritten: %v", err)
	}
	if _, err := j.AuthenticateToken(context.Background(), mintJWT(t, "HS512", jwtSecret, nil, jwtClaims(nil))); err == nil {
		t.Error("HS512, written into Methods later, got accepted")
	}
}

// jwtNumber is JSON that no Go number can be marshalled to.
func jwtNumber(s string) json.RawMessage { return json.RawMessage(s) }

// Each differs from a good token in what its name says and in nothing else.
func TestJWTRefusesClaims(t *testing.T) {
	j := mustJWT(t, jwtConfig(nil))
	future := time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		change jwtFields
		want   error
	}{
		"no exp":           {jwtFields{"exp": nil}, ErrTokenInvalid},
		"exp null":         {jwtFields{"exp": jwtNumber("null")}, ErrTokenInvalid},
		"exp a string":     {jwtFields{"exp": "4102444800"}, ErrTokenInvalid},
		"exp a list":       {jwtFields{"exp": []int{1}}, ErrTokenInvalid},
		"exp no float64":   {jwtFields{"exp": jwtNumber("1e400")}, ErrTokenInvalid},
		"exp NaN":          {jwtFields{"exp": "NaN"}, ErrTokenInvalid},
		"exp 0":            {jwtFields{"exp": 0}, ErrTokenExpired},
		"exp -1":           {jwtFields{"exp": -1}, ErrTokenExpired},
		"exp -1e300":       {jwtFields{"exp": -1e300}, ErrTokenExpired},
		"exp past":         {jwtFields{"exp": time.Now().Add(-time.Minute).Unix()}, ErrTokenExpired},
		"only EXP":         {jwtFields{"exp": nil, "EXP": future}, ErrTokenInvalid},
		"nbf future":       {jwtFields{"nbf": future}, ErrTokenInvalid},
		"nbf 1e300":        {jwtFields{"nbf": 1e300}, ErrTokenInvalid},
		"nbf a string":     {jwtFields{"nbf": "0"}, ErrTokenInvalid},
		"iss wrong":        {jwtFields{"iss": "https://id.example/"}, ErrTokenInvalid},
		"iss missing":      {jwtFields{"iss": nil}, ErrTokenInvalid},
		"iss empty":        {jwtFields{"iss": ""}, ErrTokenInvalid},
		"iss a list":       {jwtFields{"iss": []string{"https://id.example"}}, ErrTokenInvalid},
		"aud wrong":        {jwtFields{"aud": "orders2"}, ErrTokenInvalid},
		"aud missing":      {jwtFields{"aud": nil}, ErrTokenInvalid},
		"aud empty":        {jwtFields{"aud": []string{}}, ErrTokenInvalid},
		"aud others":       {jwtFields{"aud": []string{"a", "b"}}, ErrTokenInvalid},
		"aud with numbers": {jwtFields{"aud": []any{1, "orders"}}, ErrTokenInvalid},
		"sub missing":      {jwtFields{"sub": nil}, ErrTokenInvalid},
		"only SUB":         {jwtFields{"sub": nil, "SUB": "bob"}, ErrTokenInvalid},
		"sub empty":        {jwtFields{"sub": ""}, ErrTokenInvalid},
		"sub a number":     {jwtFields{"sub": 7}, ErrTokenInvalid},
		"sub a list":       {jwtFields{"sub": []string{"alice"}}, ErrTokenInvalid},
		"sub too long":     {jwtFields{"sub": strings.Repeat("a", MaxUserIDBytes+1)}, ErrTokenInvalid},
		"sub long runes":   {jwtFields{"sub": strings.Repeat("é", MaxUserIDBytes/2) + "a"}, ErrTokenInvalid},
	} {
		id, err := j.AuthenticateToken(context.Background(), mintHS(t, c.change))
		if !errors.Is(err, c.want) || id != (Identity{}) {
			t.Errorf("%s: got %+v and %v, want nobody and %v", name, id, err, c.want)
		}
	}
}

func TestJWTAcceptsClaims(t *testing.T) {
	j := mustJWT(t, jwtConfig(nil))
	exp := time.Unix(time.Now().Add(time.Hour).Unix(), 0)
	// The last second of the year 9999: later dates overflow somewhere.
	forever := time.Unix(int64(maxTimestamp/1e6), 0)
	long := strings.Repeat("é", MaxUserIDBytes/2)
	for name, c := range map[string]struct {
		change        jwtFields
		user, session string
		end           time.Time
	}{
		"the plainest":     {nil, "alice", "", exp},
		"SUB beside sub":   {jwtFields{"SUB": "bob", "Sub": "carol"}, "alice", "", exp},
		"aud in a list":    {jwtFields{"aud": []string{"billing", "orders"}}, "alice", "", exp},
		"sid":              {jwtFields{"sid": "s1", "jti": "j1"}, "alice", "s1", exp},
		"jti":              {jwtFields{"jti": "j1"}, "alice", "j1", exp},
		"sid a number":     {jwtFields{"sid": 7}, "alice", "", exp},
		"sid too long":     {jwtFields{"sid": "x" + long}, "alice", "x" + strings.TrimSuffix(long, "é"), exp},
		"nbf now":          {jwtFields{"nbf": time.Now().Unix()}, "alice", "", exp},
		"nbf -1e300":       {jwtFields{"nbf": -1e300}, "alice", "", exp},
		"iat future":       {jwtFields{"iat": 1e18}, "alice", "", exp},
		"exp in ms":        {jwtFields{"exp": exp.UnixMilli()}, "alice", "", forever},
		"exp 1e18":         {jwtFields{"exp": 1e18}, "alice", "", forever},
		"exp 1e300":        {jwtFields{"exp": 1e300}, "alice", "", forever},
		"longest sub":      {jwtFields{"sub": long}, long, "", exp},
		"control bytes":    {jwtFields{"sub": "a\x00b\r\nc\x1b[31m"}, "a\x00b\r\nc\x1b[31m", "", exp},
		"sub like a path":  {jwtFields{"sub": "../../*>{}"}, "../../*>{}", "", exp},
		"sub only a space": {jwtFields{"sub": " "}, " ", "", exp},
	} {
		id, err := j.AuthenticateToken(context.Background(), mintHS(t, c.change))
		want := Identity{UserID: c.user, SessionID: c.session, ExpiresAt: c.end, leeway: defaultLeeway}
		if err != nil || id != want {
			t.Errorf("%s: got %+v and %v\nwant %+v", name, id, err, want)
		}
	}
}

// encoding/json reads whatever is no UTF-8 as U+FFFD, so that several users would
// become one.
func TestJWTSubMustBeUTF8(t *testing.T) {
	j := mustJWT(t, jwtConfig(nil))
	for name, sub := range map[string]string{
		"a lone surrogate": `"a\ud800"`,
		"a wrong pair":     `"a\udc00\ud800"`,
		"a Latin-1 byte":   "\"a\xe9\"",
	} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
		body := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://id.example","aud":"orders","exp":1e18,"sub":` + sub + `}`))
		sig, err := jwt.SigningMethodHS256.Sign(header+"."+body, jwtSecret)
		if err != nil {
			t.Fatal(err)
		}
		token := header + "." + body + "." + base64.RawURLEncoding.EncodeToString(sig)
		if id, err := j.AuthenticateToken(context.Background(), token); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("%s: got user %q and %v, want ErrTokenInvalid", name, id.UserID, err)
		}
	}
}

// Hostile shapes of a token whose contents are good.
func TestJWTRefusesForms(t *testing.T) {
	j := mustJWT(t, jwtConfig(nil))
	good := mintHS(t, nil)
	part := strings.Split(good, ".")
	for name, token := range map[string]string{
		"empty":           "",
		"dots":            "..",
		"1 segment":       part[0],
		"2 segments":      part[0] + "." + part[1],
		"no signature":    part[0] + "." + part[1] + ".",
		"4 segments":      good + ".",
		"5 segments":      good + "." + part[1] + "." + part[2],
		"prefix":          "Bearer " + good,
		"padding":         good + "=",
		"unused bits":     good[:len(good)-1] + string(good[len(good)-1]+1),
		"other alphabet":  part[0] + "." + part[1] + ".+/" + part[2][2:],
		"a space":         good + " ",
		"alg none":        mintJWT(t, "none", jwt.UnsafeAllowNoneSignatureType, nil, jwtClaims(nil)),
		"alg None":        mintJWT(t, "HS256", jwtSecret, jwtFields{"alg": "None"}, jwtClaims(nil)),
		"alg HS512":       mintJWT(t, "HS512", jwtSecret, nil, jwtClaims(nil)),
		"alg a number":    mintJWT(t, "HS256", jwtSecret, jwtFields{"alg": 256}, jwtClaims(nil)),
		"alg unknown":     mintJWT(t, "HS256", jwtSecret, jwtFields{"alg": "HS1024"}, jwtClaims(nil)),
		"crit":            mintJWT(t, "HS256", jwtSecret, jwtFields{"crit": []string{"exp"}}, jwtClaims(nil)),
		"crit null":       mintJWT(t, "HS256", jwtSecret, jwtFields{"crit": nil}, jwtClaims(nil)),
		"another secret":  mintJWT(t, "HS256", bytes.Repeat([]byte("x"), 32), nil, jwtClaims(nil)),
		"an empty secret": mintJWT(t, "HS256", []byte{}, nil, jwtClaims(nil)),
		"1 MB":            mintHS(t, jwtFields{"pad": strings.Repeat("x", 1<<20)}),
		"1 MB of dots":    strings.Repeat(".", 1<<20),
		"one byte over":   mintSized(t, maxTokenBytes+1),
	} {
		if id, err := j.AuthenticateToken(context.Background(), token); !errors.Is(err, ErrTokenInvalid) || id != (Identity{}) {
			t.Errorf("%s: got %+v and %v, want nobody and ErrTokenInvalid", name, id, err)
		}
	}
	for name, token := range map[string]string{"good": good, "longest": mintSized(t, maxTokenBytes)} {
		if _, err := j.AuthenticateToken(context.Background(), token); err != nil {
			t.Errorf("%s: got %v, want no error", name, err)
		}
	}
}

// Line breaks inside base64 are not strict either: one signed token would have
// many spellings, and a list of revoked tokens would know only one of them.
func TestJWTRefusesLineBreaks(t *testing.T) {
	j := mustJWT(t, jwtConfig(nil))
	good := mintHS(t, nil)
	for _, token := range []string{good + "\n", good + "\r\n", good[:len(good)-4] + "\n" + good[len(good)-4:]} {
		if _, err := j.AuthenticateToken(context.Background(), token); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("…%q: got %v, want ErrTokenInvalid", token[len(good)-8:], err)
		}
	}
}

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

func TestJWTLeeway(t *testing.T) {
	for _, c := range []struct{ configured, leeway time.Duration }{{0, 5 * time.Second}, {time.Second, time.Second}, {maxLeeway, 30 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			j := mustJWT(t, jwtConfig(func(cfg *JWTConfig) { cfg.Leeway = c.configured }))
			start := time.Now()
			begin, end := start.Add(time.Minute), start.Add(2*time.Minute)
			token := mintHS(t, jwtFields{"nbf": begin.Unix(), "exp": end.Unix()})
			for _, step := range []struct {
				at   time.Time
				want error
			}{
				{begin.Add(-c.leeway - time.Second), ErrTokenInvalid},
				{begin.Add(-c.leeway), nil},
				{end.Add(c.leeway - time.Second), nil},
				{end.Add(c.leeway - 1), nil},
				{end.Add(c.leeway), ErrTokenExpired},
				{end.Add(c.leeway + time.Hour), ErrTokenExpired},
			} {
				time.Sleep(time.Until(step.at))
				if _, err := j.AuthenticateToken(t.Context(), token); !errors.Is(err, step.want) {
					t.Errorf("leeway %v, %v after the start: got %v, want %v", c.leeway, step.at.Sub(start), err, step.want)
				}
			}
		})
	}
}

// BenchmarkJWT is what a token costs at each handshake and renewal.
func BenchmarkJWT(b *testing.B) {
	private, public := ed25519Pair(b)
	for _, c := range []struct {
		name  string
		cfg   JWTConfig
		token string
	}{
		{"HS256", jwtConfig(nil), mintJWT(b, "HS256", jwtSecret, nil, jwtClaims(nil))},
		{"EdDSA", keysConfig("EdDSA", map[string]crypto.PublicKey{"k": public}),
			mintJWT(b, "EdDSA", private, jwtFields{"kid": "k"}, jwtClaims(nil))},
	} {
		b.Run(c.name, func(b *testing.B) {
			j := mustJWT(b, c.cfg)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := j.AuthenticateToken(context.Background(), c.token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ed25519Pair(t testing.TB) (ed25519.PrivateKey, ed25519.PublicKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}
