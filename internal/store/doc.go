// Package store keeps everything in one SQL database: transactions, fenced
// writes, the mapping of rows, migrations. It implements what intake, forward
// and ha declare as their storage.
//
// One implementation over database/sql serves every engine; package engine
// lists what an engine answers for itself, and package storetest is the
// conformance suite each passes.
//
// # How a statement is fenced
//
// A statement that only the Active may run compares the lease row's epoch, boot
// id and database identity in the same statement or transaction, and returns
// forward.ErrDeposed when they differ. No lock is taken on the lease row, and no
// lock is held while a client is waited for, so a frozen process blocks nobody
// (rule C1; the reasons are in the design's section 3).
//
// # What due_at means
//
// A link's due_at is set exactly while the link is due and unclaimed (the index
// link_due holds nothing else, so that claiming costs the same whatever lies
// settled). It says not before: back-off, a held-back close (not_before), a
// hold. It decides order and liveness only; whether a link may be claimed is
// decided by alert.Link.Claimable's condition, which the claiming statement
// repeats on the row.
package store
