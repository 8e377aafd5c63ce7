// Package app puts a server together and runs it: it opens the database, joins
// the management group, applies the connector documents and each new version of
// them, takes alerts in over HTTP, and lets the availability runner decide when
// to forward.
//
// It is the one place that knows every package, and the table of adapters is
// here (kinds.go). It holds no state of its own that a restart would lose.
//
// A planned stop goes in this order: refuse new intake, finish what is in
// flight, release the leases naming the successor, leave the group, close the
// database.
package app
