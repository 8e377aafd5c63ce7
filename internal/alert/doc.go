// Package alert is the model: alerts as their source tells them, tickets as the
// remote system has them, and links between the two, with the pure state
// machines that everything else executes.
//
// Nothing here knows a database, a clock or a network. The store's statements
// do what Link's methods say, and its conformance suite holds one against the
// other; the simulation's model database calls these methods directly.
//
// # Alerts
//
// An Alert is one problem at a source, from raised to closed. What a source
// says arrives as an Observation; Apply decides whether it opens an alert,
// changes the open one (its revision grows), repeats it (only its seen count
// grows) or closes it. A source alert that closes and fires again is a new
// Alert.
//
// # Links
//
// A Link ties an alert to one counterpart for one connector: its ticket in the
// remote system (side Remote), or the alert's own record back at its source
// (side Source). Forwarding means making the counterpart show the wanted
// revision. A link's stage says what is known about the counterpart:
//
//	Fresh ──create answered──────────────────────────────▶ Settled
//	  │                                                     │  ▲
//	  │ outcome unknown, or the claim expired               │  │ looked again: one ticket,
//	  ▼                                                     │  │ showing what we told it
//	Uncertain ──look: nothing──▶ Looked ──look, create──▶ Verify
//	  │                                                  ▲  │  ▲
//	  └──look: found─────────────────────────────────────┘  │  │
//	     Settled ──update unknown, claim expired, evidence──┘  │
//	                                  Verify ──several──▶ Twins
//
// Between Uncertain's and Looked's looks, and before Verify looks, the
// adapter's settle time passes (Hold): a write that was sent and not answered
// may be carried out that much later.
//
// A Source link's revisions are its own: each news of the ticket that concerns
// the source is one, and the alert's close is the last (Revise). What a source
// shows of a ticket must not outlive the alert: an acknowledgement that stayed
// would keep the next occurrence of the problem from being noticed.
//
// A link is worked only under a Claim, and the claim's owner alone changes what
// is known (Progress). Intake raises Wanted at any time; a link is due while
// something remains to be done.
package alert
