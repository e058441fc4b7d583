package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/usercast-go/usercast"
)

// secretVariable holds the key that signs tokens.
const secretVariable = "USERCAST_SECRET"

// maxTTL keeps a token for development one.
const maxTTL = 30 * 24 * time.Hour

// tokenCommand mints a token.
type tokenCommand struct {
	User       string        `short:"u" required:"" placeholder:"USER" help:"Whose token it is: its sub."`
	Iss        string        `placeholder:"ISSUER" help:"Issuer, as JWTConfig.Issuer wants it. Without it the token has none."`
	Aud        string        `placeholder:"AUDIENCE" help:"Audience, as JWTConfig.Audience wants it. Without it the token has none."`
	Sid        string        `placeholder:"SESSION" help:"Session, which Identity.SessionID shows."`
	TTL        time.Duration `name:"ttl" default:"1h" help:"How long it is good: 1s to 720h."`
	Secret     string        `help:"The key, at least 32 bytes. Other users of the machine see it: better name a file or set USERCAST_SECRET."`
	SecretFile string        `type:"path" placeholder:"FILE" help:"File with the key. A line break at its end is left out."`
}

// Help shows examples.
func (tokenCommand) Help() string {
	return `Prints a JSON Web Token (HS256) for development: what your login would give out. It is good
for a hub with this configuration:

  usercast.NewJWT(usercast.JWTConfig{
  	Secret: secret, Methods: []string{"HS256"}, Issuer: "shop", Audience: "shop-web",
  })

The key is that of --secret, --secret-file or the environment's USERCAST_SECRET, the first
that is there.

  export USERCAST_SECRET="$(openssl rand -hex 32)"
  usercast token -u alice --iss shop --aud shop-web
  usercast token -u alice --iss shop --aud shop-web --ttl 70s   # ends soon: hub.expiring
  websocat "ws://localhost:8080/ws?token=$(usercast token -u alice --iss shop --aud shop-web)"`
}

// Run implements the command.
func (c *tokenCommand) Run(env *environment) error {
	secret, err := c.secret()
	if err != nil {
		return err
	}
	if c.TTL < time.Second || c.TTL > maxTTL {
		return fmt.Errorf("--ttl: %v, want 1s to %v", c.TTL, maxTTL)
	}
	// The judge is the one that a hub would ask.
	judge, err := usercast.NewJWT(usercast.JWTConfig{
		Secret: secret, Methods: []string{"HS256"},
		Issuer: c.Iss, AllowAnyIssuer: c.Iss == "",
		Audience: c.Aud, AllowAnyAudience: c.Aud == "",
	})
	if err != nil {
		return fmt.Errorf("the key: %w", err) // of all fields only it can be wrong
	}
	now := time.Now()
	claims := jwt.MapClaims{"sub": c.User, "iat": now.Unix(), "exp": now.Add(c.TTL).Unix()}
	for name, value := range map[string]string{"iss": c.Iss, "aud": c.Aud, "sid": c.Sid} {
		if value != "" {
			claims[name] = value
		}
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
	if err != nil {
		return err
	}
	id, err := judge.AuthenticateToken(context.Background(), token)
	switch {
	case err != nil:
		return fmt.Errorf("no hub would take this token: %w", err)
	case id.UserID != c.User:
		return fmt.Errorf("--user: no hub would take %q for itself: is it UTF-8?", c.User)
	}
	_, err = fmt.Fprintln(env.stdout, token)
	return err
}

// secret returns the key, whose bytes are in no error.
func (c *tokenCommand) secret() ([]byte, error) {
	switch {
	case c.Secret != "" && c.SecretFile != "":
		return nil, errors.New("--secret and --secret-file: give one of them")
	case c.Secret != "":
		return []byte(c.Secret), nil
	case c.SecretFile != "":
		return readSecret(c.SecretFile)
	}
	if s := os.Getenv(secretVariable); s != "" {
		return []byte(s), nil
	}
	return nil, errors.New("no key: name a file by --secret-file, or set " + secretVariable)
}

// maxSecretFile is more than any key or token has.
const maxSecretFile = 16 << 10

// readSecret reads a file that holds one secret, which most editors end by a line break.
func readSecret(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSecretFile {
		return nil, fmt.Errorf("%s: %d bytes are no secret, at most %d", name, info.Size(), maxSecretFile)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")), nil
}
