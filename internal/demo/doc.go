// Package demo shows Tieline at work: three real server processes over an
// embedded database, a stream of alerts, a ticket desk, and the Active killed
// for real every few seconds. At the end it compares what the stream was
// promised with what reached the desk.
//
// The servers are this very program, started with "serve" and the default
// polling interval and tolerance: a take-over within a second is the work of
// presence (a file lock that the system drops when its holder dies), not of
// short timeouts.
package demo
