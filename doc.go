// Package usercast tells every open device of one user what just happened to that
// user's data.
//
// An existing Go HTTP server mounts a [Hub] as an [http.Handler] and calls
// [Hub.Broadcast] after its database writes. Every open device of the user hears
// the event at once; a device that was away hears what it missed, or is told that
// it cannot.
//
//	auth, err := usercast.NewJWT(usercast.JWTConfig{
//		Secret: secret, Methods: []string{"HS256"}, Issuer: "shop", Audience: "shop-web",
//	})
//	hub, err := usercast.New(usercast.Config{Auth: auth})
//	http.Handle("/ws", hub)
//	…
//	if err := db.CreateOrder(ctx, order); err != nil { … }
//	w.WriteHeader(http.StatusCreated)
//	err = hub.Broadcast(order.UserID, usercast.Event{Type: "ORDER_CREATED", Payload: order})
//
// # One log per user, connections are cursors
//
// Nothing is copied for a connection. Each user has one small log, and each
// connection is a cursor into it. Replay and live delivery are the same code, so
// there is no hand-over between them in which an event could fall. A slow consumer
// costs no memory: it lags in the log, and if the log outruns it, it is told so.
// Publishing never waits for a socket.
//
// Every event gets a [Timestamp] that is unique to its user and increases strictly;
// it is the cursor by which a client resumes. Classes say what is kept of an event:
// [Buffered] events are replayed (200 of them for 5 minutes, unless configured),
// [Transient] events reach who is connected, and of [Latest] events the newest value
// of each key is kept, so that a progress bar is right the moment a device is back.
//
// # Typed events
//
// [Define] writes an event's name, class and payload type down once, and
// [DefineKeyed] its key as well. A payload of another type does not compile, and an
// event that is sent by name is held to its definition. [Defined] lists them with
// how often each was sent: schemas and TypeScript types come from there, and what is
// defined and never sent shows. [Broadcaster] is what takes events: a [Hub], or
// whatever stands before one.
//
// # Around it
//
// Package emit sends after the commit and after the response, batches, paces progress
// and tells of jobs. Package usercasttest is for the tests of applications, package
// client for Go programs that listen. [Admin] lets operators, and the command
// usercast, look into a running hub.
//
// # Promises
//
// The tests name these by their numbers.
//
//   - I1: on one connection timestamps strictly increase (per scope: the user's events
//     and those of [Hub.BroadcastAll] are two).
//   - I2: no silent loss. Between two timestamps that a client has received in a row,
//     across reconnects, with no gap told between them, no buffered event exists.
//   - I3: at rest a client's cursor is where the log has got to.
//   - I4: no false gap. Same epoch, back within one BufferTTL of the disconnect, and
//     nothing after the cursor evicted: the verdict is "resumed".
//   - I5: transient and buffered events keep their order. Transients may be dropped,
//     never replayed.
//   - I6: no user ever receives another user's payload.
//   - I7: a log holds at most BufferSize events, none older than BufferTTL is
//     replayed, and what is held per connection, per user and per hub is bounded.
//   - I8: Broadcast performs no socket I/O and waits for none.
//   - I9: OnConnect and OnDisconnect run exactly once each, in this order; after
//     Shutdown no goroutine and no descriptor is left.
//   - I10: no frame leaves later than the token's end plus leeway, nor later than a
//     second after [Hub.Disconnect].
//   - I11: timestamps increase through a wall clock that goes back and through user
//     state that was dropped.
//   - I12: a payload that does not marshal, is too large or is not UTF-8 is an error to
//     the caller and changes nothing.
//
// What is not promised: events do not survive a restart of the process (clients are
// told by a gap), and a process that dies between the commit and the Broadcast has
// sent nothing.
//
// # The wire
//
// JSON text messages, one event each:
//
//	{"type":"ORDER_CREATED","payload":{…},"timestamp":"2026-11-22T20:53:52.123456Z"}
//
// with "class" and "key" for transient and latest events, and "scope":"all" from
// BroadcastAll. Types that begin with "hub." are the hub's own:
//
//	hub.hello      first of all: connectionId, device, epoch, verdict (fresh, resumed,
//	               gap), reason, globalTimestamp, heartbeatMs, bufferSize, bufferTtlMs;
//	               its timestamp is where the connection starts
//	hub.live       everything missed has now been sent
//	hub.gap        something is missing up to its timestamp: fetch your state again.
//	               reason: evicted, expired, restarted, unknown_cursor, lagged
//	hub.heartbeat  25 s of silence
//	hub.expiring   the token ends in a minute: expiresAt
//
// A client resumes by ?lastEventTs=<last timestamp>&epoch=<from hub.hello>, and
// &lastGlobalTs= for BroadcastAll. &device= names the page, for Event.Except. The
// latest values that a fresh connection gets, or one with a gap, are stamped as
// the immediate past of where it starts.
//
// A client may send the text "ping" and gets "pong"; {"type":"hub.auth",
// "payload":{"token":"…"}} renews the token in place; anything else goes to
// Config.OnMessage.
//
// The token stands in the Authorization header, the subprotocol
// "usercast.bearer.<base64url>", ?token= or a cookie. Clients that offer the
// subprotocol "usercast.v1" are refused by close code, others by HTTP status:
//
//	4401  401  token missing, invalid or ended  fetch a token, then retry
//	4403  403  disconnected by the server       stop
//	4409       too many connections, this was   stop until the user acts
//	           the user's oldest
//	4429  429  hub full                         retry with backoff
//	1008  400  flood, malformed handshake       retry with backoff
//	1009       message over 4 KiB               retry with backoff
//	1011  500  a callback panicked              retry with backoff
//	1012  503  "restarting; spreadMs=N"         retry after a random part of N ms
//	1013  503  authentication is unavailable    retry with backoff
//	      403  origin not allowed
//	      426  not a WebSocket handshake
//
// # Concurrency
//
// All exported functions and methods are safe for concurrent use. A hub has
// GOMAXPROCS flushers and one sweeper; a connection has one goroutine, which reads
// (none while it is idle, on Linux without TLS inside this process),
// and for as long as its socket blocks (always, with TLS inside this process) one
// that writes. Nothing else grows with users or connections. Callbacks run without
// any lock held; a panic in one is contained.
//
// # Limits
//
// Inbound messages: 4 KiB each, 100 frames and 64 KiB a second with bursts of 200
// and 128 KiB, control frames included. Outbound: a socket may block for
// WriteTimeout. User IDs 128 bytes, types 128, keys 256, devices 64, tokens 8 KiB,
// latest values 64 a user, waiting transients 64 a user, handshakes 30 s. A token that
// is to be renewed by hub.auth must fit its 4 KiB.
//
// # Shutting down
//
// [http.Server.Shutdown] knows nothing of upgraded connections, so the hub is shut
// down beside it:
//
//	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
//	ended := make(chan error, 1)
//	srv.RegisterOnShutdown(func() { ended <- hub.Shutdown(ctx) })
//	…
//	err := errors.Join(srv.Shutdown(ctx), <-ended)
//
// ReadHeaderTimeout is the host's to set: a handshake that never ends is the HTTP
// server's business until the hub sees it.
package usercast
