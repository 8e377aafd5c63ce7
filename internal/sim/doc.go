// Package sim runs the real availability code (package ha) and the real
// forwarding code (package forward) in virtual time against a model database
// and a model ticket desk, under faults drawn from a seed, and checks the
// product's invariants at every step.
//
// # What is real and what is modelled
//
// Runner, forwarder and the state machines of package alert are the ones that
// ship. Modelled are the things they talk to: the database (Database executes
// each statement atomically, by the very methods of alert.Link), its
// connections and presences, the remote system (Desk), the network between
// them, the clocks, and the processes' deaths and pauses.
//
// # Processes and gates
//
// One boot of one server is a Process. Whatever it does to the outside passes
// its gate, which adds latency, loses requests or answers, stops while the
// process is frozen, and lets nothing through once it has crashed. Because the
// code between two gates takes no virtual time, stopping at the gates covers
// pauses at every point, also the one between the check of a send window and
// the write to the socket.
//
// # Replay
//
// A schedule runs in a testing/synctest bubble. No random stream is shared: the
// fate of a call is a hash of the seed, the process, the kind of call, what it
// concerns and how often it was made. Latencies have nanosecond jitter, so that
// instants rarely coincide. What a seed does not fix is which of several
// goroutines of one process that wake in the same instant goes on first, and
// which of several ready channels a select takes: Go decides, and a schedule may
// take another turn from there. A seed with a finding is therefore run until it
// is found again (-sim.repeat), which so far never took more than a few runs.
//
// # Limits
//
// At most one failover that loses commits happens in a schedule: a second one
// that also loses the first one's Doubt would lead to the same epochs again,
// under another identity. Every desk is up to the lateness that its settle time
// allows for; where a pause between the check of a window and the send makes a
// write later still, the link is compared as a reconcile run does, and must then
// come right. Not so the way back: a source is told and never read, so what a
// write that late leaves there stays until the source is told again. (A silence
// that comes so late to Alertmanager ends by itself.)
//
// # What is checked
//
// At each step: epochs only grow, one Active is named, no send without a
// confirmed claim or after its window, no two open windows for a link. After a
// fair period without faults: nothing lost, one surviving ticket that the link
// names, at the newest revision, notes complete and in order, one Active,
// no claim left over. Explore visits every state of one small configuration of
// the same pure functions; package teeth breaks each rule in turn and shows
// which check notices.
package sim
