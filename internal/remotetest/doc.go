// Package remotetest holds what the adapters for remote systems are tested
// with: Run, the conformance suite that every adapter passes, and Desk, a small
// ticket desk in memory that remembers everything and misbehaves as told.
package remotetest
