package usercast

// register makes a connection one of its user's. Whatever could speak against it
// is asked inside the user's critical section, so that a Disconnect or a Shutdown
// during the handshake catches it. replaced is the connection that must go for it.
func (h *Hub) register(c *conn, hs *handshake, mine, all claim) (replaced *conn, refused *refusal, detail string) {
	s := h.shardOf(c.info.UserID)
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused, detail = hs.overtakenLocked(s); refused != nil {
		return nil, refused, detail
	}
	if u := s.users[c.info.UserID]; u != nil && len(u.conns) >= h.maxConnsPerUser {
		if hs.tail {
			return nil, refusedFull, noRoomForTail
		}
		replaced = expendable(u.conns)
		s.part(replaced) // and the new one takes its place in the count
	} else if n := h.stats.conns.Add(1); h.maxConns > 0 && n > int64(h.maxConns) {
		h.stats.conns.Add(-1)
		return nil, refusedFull, "hub full"
	}
	c.info.Verdict, c.info.GapReason = s.join(c, mine, all)
	h.stats.verdict(c.info.Verdict)
	h.running.Add(1) // for serve; here, where Shutdown cannot have begun to wait
	return replaced, nil, ""
}

// overtakenLocked says whether something has happened since the handshake began
// that ends it.
func (hs *handshake) overtakenLocked(s *shard) (*refusal, string) {
	revoked := s.revoked[hs.id.UserID]
	switch {
	case hs.hub.closed.Load():
		return refusedShutdown, hs.hub.restartReason()
	case hs.hub.clock.mono()-hs.began > int64(handshakeTimeout):
		return refusedUnavailable, "handshake took too long"
	case revoked.generation > hs.generation:
		return refusedRevoked, revoked.reason
	}
	return nil, ""
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
	if s.part(c) {
		h.stats.conns.Add(-1) // as register added
	}
}
