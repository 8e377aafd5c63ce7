// Package cli is the tieline command: one file per verb, each with its parsing
// and its running apart.
//
// Verbs that look at or change the management group open its database directly,
// with the same settings as a server: they work while every server is down.
//
// # Exit codes
//
//	0  done
//	1  internal error
//	2  the input or the command line is not valid
//	3  the named thing does not exist
//	4  it exists already, or changed meanwhile
//	5  not permitted
//	6  the database or a server cannot be reached; try again
//	7  the set-up does not permit it
//	8  it was checked, and something needs attention (db check)
package cli
