// Package client connects a Go program to a hub of package usercast as one device of a
// user, and behaves as the browser's @usercast/client does: it resumes where it
// stopped, says when something is missing, and never gives up unless it is told to.
//
//	c, err := client.New(client.Config{
//		URL:   "wss://shop.example.com/ws",
//		Token: func(ctx context.Context, why client.TokenReason) (string, error) { return fetchToken(ctx) },
//		OnGap: func(client.Gap) { refetch() },
//	})
//	…
//	client.On(c, "PENDING_CREATED", func(p PendingOrders, m client.Meta) { … })
//	err = c.Run(ctx) // until ctx ends or the server says stop
//
// # Promises
//
//   - Handlers see every event once and in order, per scope, across reconnects; what
//     they do not see is told by Config.OnGap. After a gap, newest values (of class
//     Latest) may come again.
//   - The cursor moves when the handlers of an event have run, and passes a gap when
//     OnGap has returned. A program that keeps it ([Config].SaveCursor) and dies sees
//     some events again, and misses none that the hub still has.
//   - A gap is told after hub.live, once per connect, and once more whenever a
//     connection was too slow; also if the connection that brought it is gone by then.
//   - The first delay between attempts is a random part of a second; the bound doubles up
//     to 30 s, and falls back only after a connection has been up for 5 s beyond hub.live.
//   - A token that is refused at a handshake is asked for again after at least
//     MinBackoff. One that ends is renewed in place, a minute before.
//   - A connection that has been silent for the hub's heartbeat and 5 s is asked by
//     "ping", and replaced if nothing comes for 3 s. None is given up unasked.
//   - What a handler or callback does wrong goes to Config.OnError and disturbs nobody.
//
// What the hub says by close code, or by HTTP before the upgrade:
//
//	4401        Token is asked again (expired or refused), after the backoff
//	4403, 4409  Run returns a [CloseError] that wraps [ErrRevoked] or [ErrReplaced]
//	1012        the next attempt comes after a random part of the announced spread
//	others      the next attempt comes after the backoff
//
// # Concurrency
//
// All functions and methods are safe for concurrent use. The goroutine that calls
// [Client.Run] runs all handlers and callbacks, one at a time, without any lock held;
// only Config.Token may also run in another, never twice at once. A connection has
// one goroutine more, which reads, and one each while a probe is written or a token
// renewed. When Run has returned, all of them have ended. No method waits for Run's goroutine.
//
// A handler that takes long delays those that follow and costs no connection: the
// reading goroutine answers the hub's pings meanwhile, until the inbox is full.
// [runtime.Goexit] in a handler (a test's FailNow) ends Run's goroutine; the
// connection is closed as ever.
//
// # Limits
//
// Events: Config.MaxEventBytes each, 16 MiB at most; larger ones are skipped and
// reported. Waiting for handlers: 256 messages or 1 MiB. [Client.Latest]: 1,000 events
// and 32 MiB. Outbound messages: 4 KiB. An announced spread: 5 minutes.
package client
