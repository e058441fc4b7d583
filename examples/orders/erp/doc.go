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
// Writes may come twice, because a job runs again after a kill, and another one may do
// what a cancelled one had begun. An order belongs to the reference that it is created
// with: its ID and its number are made of the seed, the user and the reference, so a second
// CreateOrder of one reference is the same order, written anew, whichever job makes it and
// even after a restart of the simulator. An edit or a deletion made twice is as one made once.
//
// Orders that were created, edits and deletions are kept in memory: the newest 10,000 of
// orders and of customers, and none after a restart. Edits and deletions show in the syncs
// that follow. Lists are made of the seed alone: 2,000 customers, 3,000 orders, 4,000
// products and 8,000 prices, for each user the same; an order that was created is in none.
package erp
