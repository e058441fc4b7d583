// Package erp is the slow system behind the order book: a simulator that runs as a
// process of its own, and the client that jobs talk to it with.
//
// The simulator is the same binary as the server, run again as "orders erp" ([Main],
// [Start]). It prints its URL on stdout, listens on a random port of 127.0.0.1 only, and
// ends when its stdin closes: so it dies with a server that is killed.
//
// # What it does
//
// Each call takes a while (the mean is -latency, between half and one and a half of it) and
// some fail (-failures is their share, drawn by -seed) with an error that passes, which the
// client tries again by itself. The texts that go with a call rule the rest:
//
//	#fail   the ERP refuses it for good
//	#flaky  the first attempt of a job fails
//	#slow   all calls of the job together take about 15 seconds
//	#hang   it never answers
//
// A sync comes to its #fail or #flaky halfway, and everything else when it is to be saved.
//
// # What it remembers
//
// Writes may come twice, because a job runs again after a kill. The ID and the number of an
// order are made of the seed and of the job's ID, so a second CreateOrder of one job is
// the same order, even after a restart of the simulator. Edits and deletions are kept in
// memory, for the syncs that follow: the newest 10,000, and none after a restart.
// Lists are made of the seed alone: 2,000 customers, 3,000 orders, 4,000 products and
// 8,000 prices, for each user the same.
package erp
