package main

import (
	"bytes"
	"testing"

	"github.com/usercast-go/usercast/examples/orders/store"
	"github.com/usercast-go/usercast/examples/orders/store/storetest"
)

// The same secret on another database signs other tokens: there are other users there.
func TestSecretOf(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		secret := func(s *store.Store, given string) []byte {
			t.Helper()
			key, err := secretOf(t.Context(), s, []byte(given))
			if err != nil || len(key) < minSecret {
				t.Fatalf("got %d bytes, %v", len(key), err)
			}
			return key
		}
		other := storetest.Open(t, storetest.DSN(t, store.SQLite))
		const given = "0123456789abcdef0123456789abcdef"
		for name, same := range map[string]bool{
			"again":                bytes.Equal(secret(s, given), secret(s, given)) && bytes.Equal(secret(s, ""), secret(s, "")),
			"on another database":  !bytes.Equal(secret(s, given), secret(other, given)) && !bytes.Equal(secret(s, ""), secret(other, "")),
			"with another secret":  !bytes.Equal(secret(s, given), secret(s, given+"x")),
			"with and without one": !bytes.Equal(secret(s, given), secret(s, "")),
		} {
			if !same {
				t.Errorf("%s: not as it should be", name)
			}
		}
	})
}
