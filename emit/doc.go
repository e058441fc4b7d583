// Package emit sends events when what they tell of has happened: after the commit,
// after the response, and at a pace that a device can follow.
//
//	err := emit.Tx(ctx, db, hub, nil, func(tx *sql.Tx, out *emit.Outbox) error {
//		if err := insertOrder(ctx, tx, order); err != nil {
//			return err // rolled back, nothing sent
//		}
//		return PendingCreated.Broadcast(out, order.User, PendingOrders{OrderIDs: ids, Count: len(ids)})
//	})
//
// Everything here sends to a [usercast.Broadcaster], and an [Outbox] is one itself,
// so code that emits does not know whether it runs in a transaction, in a request, in
// a job or in a test.
//
// # After the commit
//
// An [Outbox] collects events until it is known whether they happened. [Tx] commits and
// then sends them; [Savepoint] drops its own part and nothing else; [TxWith] does the
// same for pgx, or for any database whose transactions have Commit and Rollback. With a
// transaction of some other library's, make the outbox by [NewOutbox] and call Flush
// after its commit.
//
//	fn returns an error, panics, or ends its goroutine   rolled back   nothing sent
//	ctx ends before the commit                           rolled back   nothing sent
//	the database refuses the commit                      rolled back   nothing sent, ErrCommit
//	the answer to the commit never comes                 unknown       nothing sent, ErrOutcomeUnknown
//	committed                                            committed     all sent, in order
//	committed, and the hub refuses an event              committed     the others sent, logged and counted
//	the process dies after the commit                    committed     nothing sent: see below
//
// # After the response
//
// [Middleware] gives each request an outbox, which [From] finds in its context. It is
// flushed when the handler has returned with a status below 400 and the response is
// out, and dropped otherwise. What a transaction within the request has committed is
// not dropped, whatever the status: a request that fails after its commit has still
// changed the data, and the other devices must hear of it. So the order is as a rule DB
// write, response, broadcast, without anyone thinking of it; and an event that fails is
// logged and counted, never a failed request.
//
// # In the order of what happened
//
// A client may have a response before the request's events are sent, and change again
// what it has just made: the event of the second change must not come first, or the older
// of two states is what a device ends with. And a transaction that waited for the lock of
// another may be done before the first one's goroutine has even heard of its commit. So
// events stand in line, each user's in one of their own:
//
//   - those of a [Tx] from before its commit on. Whoever has seen what a transaction wrote,
//     or has waited for its lock, is told of after it;
//   - the others of a request behind [Middleware] from the return of its handler on. Whoever
//     has the response is told of after it, if that is out only then: it was no longer than
//     2 KiB, had no Content-Length, and was not flushed. Until the handler returns they may
//     still be dropped, and an event of a Tx may be sent before them, even one of the same
//     request that came later. What must be in order goes into a Tx;
//   - those of an outbox of [NewOutbox], with all that a Tx has handed to it, from its Flush
//     on. They stand where they were collected, and so do those of a request: emit after
//     the write;
//   - those of a [JobRunner] and of [InOrder] from the call on.
//
// What stands in line is sent before what stands behind it, by whoever sends first. So the
// events of a transaction whose request is still busy may be sent before its response, if
// another event of the same user is due. An event waits only for a commit that is under
// way, at most a second from that commit's beginning on, and for events that are being
// sent, at most two seconds in all; Stats.Overtaken counts those that were not waited for
// any longer. Whoever emits from within a Commit, or from within what an outbox sends to,
// may wait for itself that long. What outboxes send to should not block; a hub does not.
//
// A line is one user's at one Broadcaster: a wrapper that is made anew for each request has
// lines of its own, and what goes to the hub itself stands in none. Events to everyone have
// a line of their own, and no order with those to single users. All this is within one
// process. Where several write, or where a page also changes its rows by responses, rows
// should carry a version or the time of their change, so that a page never puts an older
// row in a newer one's place.
//
// # Many changes, long work
//
// A [Batch] makes one event of many changed rows. A [Progress] tells how far something
// has got, often enough and no oftener. A [JobRunner] runs functions as jobs, and
// tells their beginning and exactly one end on every path.
//
// # What a crash loses
//
// Outboxes are memory. A process that dies between the commit and the flush, which is
// microseconds later as a rule, or after the response with Middleware, has changed the
// data and sent nothing, and no other process knows of it. What a client then sees:
//
//   - Its connection breaks, for it was to the process that died.
//   - It comes back to the process that takes over, whose epoch is another, and is told
//     hub.gap with the reason "restarted", whatever else it missed.
//   - On a gap a client fetches its state, and finds what was committed.
//
// So a device that heeds gaps shows stale data until it has come back, for as long as
// it takes to start the process and to reconnect, and no longer. What is lost for good is the
// event itself: nobody will have been told "an order was created", only "look again".
// After [ErrOutcomeUnknown] no connection breaks: the process lives, nothing was sent,
// and the devices learn of what may have been committed by their next fetch only. A
// caller that can read back what it wrote should do so, and Broadcast to the hub
// if it is there.
//
// For more than that, such as e-mails, webhooks or another system that must hear of every
// change, write the event down with the data: a transactional outbox. The transaction
// inserts a row into a table of its own beside the change (user, type, payload);
// a relay takes the rows that it sees in the order of their IDs, calls Hub.Broadcast for
// each, and deletes them afterwards. (Remembering the last ID instead loses rows,
// because transactions do not commit in the order of their IDs.) Each event is then sent
// at least once: a relay that dies between the two sends it again, so consumers need
// an ID in the payload to tell. It costs a write for each event and the delay of the
// relay; for devices that fetch on a gap it is not needed.
//
// # Bounds
//
// An outbox holds 1,000 events and 4 MiB unless [OutboxConfig] says otherwise; what does
// not fit is [ErrFull] to who emits it, and spoils nothing else. An outbox logs the
// first 8 events that it could not send, and [Counters] counts them all.
//
// # Concurrency
//
// All exported functions and methods are safe for concurrent use, as long as each
// transaction is used by one goroutine at a time. Nothing but a Progress and a
// JobRunner starts a goroutine or a timer that outlives its call. Nothing of the
// caller's runs under a lock. An event may be sent by another goroutine than that which
// collected it.
package emit
