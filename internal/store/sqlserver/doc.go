// Package sqlserver is the engine for SQL Server 2017 and later, Azure SQL and
// servers that speak their protocol and language (Babelfish for PostgreSQL).
//
// Its own tests have no SQL Server. They check every statement by rules, the
// connections against a server of their own that speaks the protocol, and what the
// statements do on one that has PostgreSQL carry them out in translation
// (storetest/tds); the suites of a real one run where the environment names it.
//
// # What it relies on, and what not
//
// No statement relies on a table hint or on an isolation above READ COMMITTED.
// Hints only spare waiting; but one makes a copy to another database wait for what
// is under way, and a copy is compared again for what ended without it. READ_COMMITTED_SNAPSHOT may be on (Azure's default,
// and advised) or off, and the server may be one that keeps row versions by
// itself and ignores hints. There an UPDATE that had to wait looks at the newest
// version of the row it updates, and asks its WHERE again for that row alone: what
// a sub-select or another row of the join said stays as it was read. So each
// read-modify-write is one of four kinds:
//
//   - A compare-and-swap: its condition stands on columns of the very row it
//     updates. Claims (claim_id IS NULL, due_at, hold_epoch), heartbeats (boot,
//     beat), renewals, take-overs and releases (epoch, beat, boot), records
//     (claim_id), bookmarks (value). Of two at once the second waits, finds the
//     condition false, and updates nothing. That the rows of a claim were picked by
//     a sub-select does not matter, as the condition is repeated.
//   - Locked first: a row is updated with what it has, and read by OUTPUT of the
//     same statement or by a later one; it is the newest version then, and stays so
//     to the end of the transaction. Alerts, links, strikes, the management group,
//     and a lease about to be swapped.
//   - Insert if absent: NOT EXISTS spares most collisions, the key refuses the
//     rest (2601, 2627), and the transaction is repeated. Alerts, links, news,
//     bookmarks, leases.
//   - Done while the row of the management group is locked, by one at a time:
//     documents, connectors, servers that join.
//
// The lease row that a claim names is read and not locked (rule C1), in a
// sub-select: a take-over committed beside it may go unseen. That is what the rules
// allow: the claim's send window was begun before the statement (rule C3), and the
// new term waits a full one from its take-over before it touches the link (rule
// C4). So it is with whatever else is fenced by the lease: it was under way before.
//
// What makes the difference between servers is avoided: an UPDATE that answers
// rows has no JOIN and no "deleted", which some servers make a search for rows by
// where they lie, that misses those which have moved meanwhile.
//
// # What it asks of a server
//
// Needed, and refused by its name where it is missing: XACT_ABORT, as a transaction
// that is one batch must not go on behind an error; OPENJSON and FOR JSON, by which
// rows come and go; and what the schema is made of (HASHBYTES, DATEDIFF_BIG,
// SYSUTCDATETIME, filtered indexes), with the right to make it.
//
// Used where it is there: the other settings of a session (what a server refuses of
// them it has no other way for), LOCK_TIMEOUT (without it a wait ends with its
// caller's patience), DEADLOCK_PRIORITY, hints, application locks (without them no
// presence, and no lock on migrations), SERVERPROPERTY, sys.databases,
// sys.database_recovery_status and the views of availability groups, sessions,
// connections and sizes. TestServersThatLackSomething plays servers without each.
//
// # Locks that are presence
//
// Presence is an application lock of a session of its own, which is never reset
// and never cancelled in the middle of a statement. Each session proves that it
// keeps another out; where it does not, or there are no such locks, the group goes
// by leases alone, and the log says so. A server may have few of them in all
// (Babelfish: some tens): a lock that is refused costs that session's presence.
//
// # What it cannot do
//
// The history's name (rule L8) changes with every RESTORE and when an
// availability group's other replica takes over. It does not when the files, the
// volume or the machine are set back beneath the server, and less often where the
// login, or the server, shows no recovery fork: the check of the database says so
// then (historian).
//
// SQL Server ends no transaction because its client is silent. What a process
// that is frozen inside one keeps locked, others skip (claims), or wait 5 s for
// and fail (Busy); no lease is among it, as coordination's transactions are one
// batch each.
package sqlserver
