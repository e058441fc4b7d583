package usercast

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// I10: no frame later than the token's end and its leeway.
func TestTokenExpiry(t *testing.T) {
	for _, c := range []struct {
		life, warned time.Duration
	}{
		{60 * time.Second, 0},
		{30 * time.Second, 0},
		{61 * time.Second, time.Second},
		{3 * time.Minute, 2 * time.Minute},
	} {
		t.Run(c.life.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(nil))})
				start := time.Now()
				d := s.dial("token=" + mintUntil(t, "alice", start.Add(c.life)))
				d.until("hub.live")
				warning := d.until("hub.expiring")
				if got := time.Since(start); !within(got, c.warned) {
					t.Errorf("hub.expiring after %v, want %v", got, c.warned)
				}
				want := fmt.Sprintf(`{"expiresAt":%q}`, Timestamp(start.Add(c.life).UnixMicro()))
				if got := string(warning[len(warning)-1].Payload); got != want {
					t.Errorf("hub.expiring: got %s, want %s", got, want)
				}
				got := d.collect()
				end := start.Add(c.life + defaultLeeway)
				for i, at := range []time.Duration{-time.Millisecond, -time.Microsecond, 0, time.Microsecond, time.Second} {
					time.Sleep(time.Until(end.Add(at)))
					s.broadcast("alice", ev("E"+strconv.Itoa(i), nil))
					synctest.Wait()
				}
				if code, _ := got.lived(start); code != CloseUnauthorized {
					t.Errorf("closed by %d, want 4401", code)
				}
				if types := got.types(); !strings.HasSuffix(types, "E0 E1") {
					t.Errorf("got %s, want E0 and E1 at the end and nothing later", types)
				}
			})
		})
	}
}

// Without anything to send the connection ends as well.
func TestTokenExpiryInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan ConnInfo, 1)
		s := newSite(t, Config{Auth: mustJWT(t, jwtConfig(func(c *JWTConfig) { c.Leeway = maxLeeway })), OnDisconnect: func(i ConnInfo) { ended <- i }})
		start := time.Now()
		d := s.dial("token=" + mintUntil(t, "alice", start.Add(time.Minute)))
		if code, after := d.collect().lived(start); code != CloseUnauthorized || !within(after, time.Minute+maxLeeway) {
			t.Errorf("closed by %d after %v, want 4401 after 1m30s", code, after)
		}
		d.c.Close()
		if info := <-ended; info.CloseCode != CloseUnauthorized || info.CloseReason != "token expired" {
			t.Errorf("OnDisconnect: got %d %q, want 4401 token expired", info.CloseCode, info.CloseReason)
		}
	})
}
