// Package faults is the proof on real processes: three tieline servers over a
// real PostgreSQL, MariaDB or SQLite, fed by sources that retry until answered, to
// remote systems that double when asked twice, while one fault repeats. A
// ledger then compares both ends.
//
// The short form runs in `go test ./test/faults`; the long one with -long
// (test/run.sh soak), which feeds at least 20,000 alerts through each fault, and
// 2,000 through a real Alertmanager.
package faults
