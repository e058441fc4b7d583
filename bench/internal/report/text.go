package report

// What the report says about its scenarios. Figures do not belong here: they come from the data.
const (
	saturatedText = "1,000 users with 3 devices each; the server publishes as fast as the closed loop lets it. " +
		"A contender that gathers several events of a connection in one write shows less than one write per delivery.\n\n" +
		"µWebSockets.js gathers what one turn of its event loop publishes. `uws` gives it a turn after each round, one event " +
		"for every user, as events that come from many requests would; `uws-burst` publishes for the whole window in one " +
		"turn, its best case."
	windowText = "Saturated, with a varying window: how many rounds the publisher may be ahead of the slowest device, and " +
		"so how many events of one connection can wait to be written together. With a window of 1 there is never more than one " +
		"event to write. The figures of all other saturated scenarios are those of window 16, and hold for such bursts only."
	pacedText = "1,000 users with 3 devices each, 5,000 events per second in all. At this rate there is nothing to " +
		"gather, and the price is that of waking up and of one write per delivery. Latency is from the call of Broadcast " +
		"to the device having read the event, load generator included."
	devicesText = "Saturated, with a varying number of devices per user; CPU per delivery."
	usersText   = "Saturated, 3 devices per user, with a varying number of users; CPU per delivery."
	idleText    = "Connected, authenticated, silent. Memory is measured after a garbage collection, as the growth " +
		"since the first 200 connections. What the kernel keeps per socket is not in it, and is the same for all."
	stormText = "All devices lose their connection at once and miss 200 events each; then all come back together, at most " +
		"400 handshakes at a time, and want exactly what they missed. Only contenders that can replay. Writes per device " +
		"include the handshake's answer and the greeting."
	absentText = "Broadcast to users without a connection: CPU per call, allocations, and for contenders that keep " +
		"events, heap per event after a garbage collection (encoded event, its place in the buffer, the user's share). " +
		"One user gets 100,000 events, a thousand get 200 each, a million get one each. The others only encode and find nobody."
	sweepText = "A million absent users with one event each, kept for 15 s instead of 5 minutes; then no traffic at " +
		"all for a minute. CPU at rest is that of the seconds before they expire, the worst second that of the expiry, garbage collection included. " +
		"Socket.IO looks once a minute, and centrifuge keeps a channel's position for longer than its events."
	slowText = "1,000 users with one device each, 5,000 events per second, and one more user who alone gets another " +
		"5,000 per second. His device reads them, or stops reading altogether. The latencies are those of all the others. " +
		"`" + none + "` in the last column is a slow device that stayed connected until the end."
)

// method is the chapter on how all this is measured.
const method = `## How it is measured

- **Processes.** Every measurement starts a fresh server process and drives it from the load generator's process over
  loopback. Only ratios within one run mean something: both share the machine, and absolute figures depend on it.
- **Events originate inside the server**, as in an application that calls Broadcast after its database write. A control
  channel on standard input and output says what to publish; events never travel on it. One goroutine (in Node: the
  event loop) publishes a struct of about 200 bytes of JSON, encoded anew for each event, inside
  ` + "`{type, payload, timestamp}`" + `.
- **Saturated means a closed loop.** A round is one event to each user. The server is at most 16 rounds ahead of
  the slowest device, whose progress the generator acknowledges round by round. So nobody can win by dropping events or
  by queueing without bounds, and everybody may gather the same number of events in a write: up to 16, on which the
  ratios depend (see "How much there is to gather").
- **Paced means an open loop**: what is due is published at ticks of one millisecond, late or not.
- **Every delivery is checked.** Events carry a sequence number per user; loss, repetition and wrong order are
  counted, and stand below the table if there are any.
- **CPU** is user and system time of the server process (getrusage), divided by deliveries. On loopback a good part of
  it is the kernel's TCP, for sender and receiver alike.
- **Writes** are TCP segments with data that arrived (TCP_INFO): on loopback, with TCP_NODELAY, one per write, or fewer
  where many writes in a row wait for an acknowledgement and the kernel joins them.
- **The generator** is one thread with epoll that cuts frames by hand, so that the server keeps as much of the
  machine as can be.
- **Rounds** alternate the contenders. A figure is the median over the rounds, a ratio the median of the ratios within
  a round.
`
