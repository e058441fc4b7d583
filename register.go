package usercast

// register makes a connection one of its user's. Whatever could speak against it
// is asked inside the user's critical section, so that a Disconnect or a Shutdown
// during the handshake catches it. replaced is the connection that must go for it.
func (h *Hub) register(c *conn, hs *handshake, mine, all claim) (replaced *conn, refused *refusal, detail string) {
	s := h.shardOf(c.info.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := h.clock.mono()
	switch {
	case h.closed.Load():
		return nil, refusedShutdown, h.restartReason()
	case now-hs.began > int64(handshakeTimeout):
		return nil, refusedUnavailable, "handshake took too long"
	case s.revoked[c.info.UserID].generation > hs.generation:
		return nil, refusedRevoked, s.revoked[c.info.UserID].reason
	}
	if u := s.users[c.info.UserID]; u != nil && len(u.conns) >= h.maxConnsPerUser {
		replaced = u.conns[0]
		h.removeLocked(s, replaced)
	}
	if n := h.stats.conns.Add(1); h.maxConns > 0 && n > int64(h.maxConns) {
		h.stats.conns.Add(-1)
		return replaced, refusedFull, "hub full"
	}
	c.info.Verdict, c.info.GapReason = s.join(c, mine, all)
	h.stats.verdict(c.info.Verdict)
	h.running.Add(1) // for serve; here, where Shutdown cannot have begun to wait
	return replaced, nil, ""
}

// full says whether there is no place for another connection of this user. It is
// asked before the upgrade, so that most are refused early; register decides.
func (h *Hub) full(userID string) bool {
	return h.maxConns > 0 && h.stats.conns.Load() >= int64(h.maxConns) &&
		h.Connections(userID) < h.maxConnsPerUser
}

// remove takes a connection from its user's list when reading has ended.
func (h *Hub) remove(c *conn) {
	s := h.shardOf(c.info.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	h.removeLocked(s, c)
}

func (h *Hub) removeLocked(s *shard, c *conn) {
	if s.part(c) {
		h.stats.conns.Add(-1) // as register added
	}
}
