package usercast

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

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
