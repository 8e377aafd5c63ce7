// Package hatest tests availability: a database in memory that a group of
// servers coordinates over, with every fault a real one shows (Database,
// Process), and a conformance suite for real databases (RunCoordinator).
//
// The database in memory changes its rows by the pure transitions of package ha
// (Lease.Taken and the like); the conformance suite compares what a real
// database does with the same transitions. So a test that passes in memory says
// something about the real ones.
//
// It uses the time package for latencies and stamps, so that it runs in virtual
// time inside a testing/synctest bubble. Everything in it must then be made in
// that bubble.
package hatest
