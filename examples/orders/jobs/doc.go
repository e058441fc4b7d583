// Package jobs runs what takes longer than a request: in a queue that survives a
// restart, one job of a user at a time, and users in parallel.
//
// # Rows, turns, events
//
// The table jobs is the truth: what is to be done, what is being done, and how it ended.
// River (riverqueue.com) delivers whose turn it is, on SQLite and PostgreSQL alike, and
// knows nothing else. [emit.JobRunner] tells the devices.
//
//	Enqueue   in the caller's transaction: the row, and a turn if nothing of the user's waits
//	a turn    claims the row, runs the job, and ends it; a turn whose row is taken or ended is none
//	the end   one transaction: the row, what the job worked on, a notification, the next turn;
//	          their events follow the commit, and JOB_COMPLETED, _FAILED or _CANCELLED comes last
//
// So only the first of a user's queue has a turn, and each end gives the next one's. That
// two of them never run at once is also a unique index of the database.
//
// # What goes wrong
//
// A claim is a lease of 5 seconds, by the database's clock, renewed every second. Every
// process looks every second for leases that have run out and turns that got lost, and
// gives them anew, so a process that is killed costs its jobs some seconds. The
// job runs again under the same ID, from its beginning, after another JOB_STARTED; what it
// writes into the ERP a second time is there once: see [erp]. After three such ends it is
// JOB_FAILED with "interrupted", in case it is the job that kills the process.
//
// Nothing is taken back from the ERP. A submission that is cancelled after its order was
// saved there leaves it there; whatever submits the pending order again, a retry or the
// user with other lines, meets the same order, because it is the pending order that the
// ERP's order belongs to, not the job. If the pending order is deleted instead, the ERP
// keeps its own.
//
// A process whose lease has run out stops its job, writes no end and tells none: each
// claim has a number, which the end must still find in the row. An end that cannot be
// written for 15 seconds, because the database is away, is not told either; the
// job runs again. So a device hears exactly one last event of each job, or, if a process
// dies in the microseconds between the commit and the event, a hub.gap and then finds the
// end by its fetch.
//
// Stop gives jobs that run back to the queue: the row is queued again, JOB_QUEUED says
// so, and whoever is next takes it.
//
// # Databases
//
// River polls every 100 ms (database/sql cannot listen), so a job begins 50 ms after
// its request on average, and may well begin before that request's response is out.
// Its JOB_QUEUED comes before JOB_STARTED all the same: see [emit.InOrder]. That holds
// within a process. If another one takes the job, a response that is slow may still make
// JOB_QUEUED come late, and pages bear it.
//
// On SQLite each poll is a write that finds nothing, and takes the one write lock for
// some microseconds: riversqlite held up with 8 writers beside it and no SQLITE_BUSY,
// because transactions begin as writers (_txlock=immediate) and wait for each other
// (busy_timeout). What did not hold up is that wait: see [store.Store.LockWrites]. River's
// own documentation advises a pool of one connection instead, which with emit.Tx would
// deadlock wherever a transaction is open while another query waits.
//
// # Bounds
//
// 100 jobs of a user that wait or run; 16 KiB of arguments and of result; 200 ended jobs
// of a user are kept.
//
// Config.Workers jobs run at once in a process, one of each user. A job costs a goroutine
// and a connection to the ERP while it waits for the ERP, so that number is large; the
// connections of the store's pool, and on SQLite the one writer, are what jobs that write
// share. Syncs, which write most, write 4 chunks of rows at once in all, so that leases,
// ends and requests do not wait behind hundreds. Jobs that hang hold a worker until they time out: only as many users as there are
// workers, all with a job that hangs, make the others wait, for a Config.Timeout at a time.
//
// # Locks
//
// Transactions lock in this order: the row that the job works on, the user's
// notifications, the user's queue, the job's row. Where two still meet, the database ends
// one, and it is tried again.
package jobs
