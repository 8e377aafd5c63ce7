// Package intake takes alerts in, on any live server: it reads what a source
// pushes, decides which connectors forward it, and answers when it is committed.
//
//	Handler ── Door's adapter parses ──▶ Gate ── one transaction for many ──▶ Store
//	                                      │
//	                                      └── Table decides the routes, in the transaction
//
// # Sharing a commit
//
// The Gate commits at once while it is idle. What arrives while a commit is in
// flight waits and makes the next one, so that the batches grow with the load
// and nobody waits for a timer. A caller is answered after the commit of its
// own observations, and within its deadline in any case: then nothing is known
// to be stored, and the source tries again, which is harmless. A caller that
// gives up takes back what has not set off yet, and disturbs nobody else.
//
// # Routing
//
// A Table is every connector's document of one generation. The batch carries the
// generation, so that each alert knows which documents its subscriptions were
// evaluated with; the Sweeper evaluates those behind again, so that no alert
// slips between two versions. A server that cannot run some document stamps its
// alerts with an older generation: a server that can will see to them.
package intake
