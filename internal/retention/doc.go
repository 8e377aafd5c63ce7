// Package retention forgets what is over and done with: closed alerts whose
// tickets show it, and the news and changes of Active of long ago. The Active
// of a connector does it beside forwarding, in small transactions that begin by
// comparing the lease with its term.
//
// # What goes
//
// A connector keeps its link to a closed alert for the days its document says,
// counted from the alert's and the link's last change, whichever is later; then
// the link goes with its notes and its lines of the timeline. The alert goes
// with the last of its links, so that each connector decides for itself and no
// Active touches another's links. An alert without links belongs to nobody and
// goes with the days of whichever connector comes first. News goes when no link
// has its ticket any more. Of the changes of Active the newest 1,000 stay. Old
// versions of documents stay: they say who changed what. Entries of the audit are
// kept for 400 days (Audit), whatever the documents say.
//
// # What stays, and which rule would break otherwise
//
//   - An open alert, and one that a sweep still has to evaluate (nothing slips
//     between two versions of the documents).
//   - A link that is due, claimed, parked, held, in doubt or has evidence. A link
//     that was ever claimed for a create thus ends settled or not at all (C8), a
//     claim's result finds its link (C5), what the database's change of history
//     put in doubt is looked for (L8), and what a person must see is seen
//     (invariant 3). Both sides of the alert count: the way back is a link.
//   - The earlier alert that a fresh link may yet go on with: its ticket would be
//     left and another opened.
//   - The newest alert of a source key while the life cycle table would go on with
//     its ticket (lifecycle.refire, reopen or comment within the time it says; 0 is
//     for ever), and while its source still repeats the closing: without it a
//     repeated closing reads as a problem that came and went unheard, and opens
//     a ticket (alert.Apply, Missed). How often it was seen is noted on the
//     timeline, and it goes when that has not moved for a week.
//
// Everything else holds without the rows. Keys are random and are never used
// again, so that a ticket of a forgotten alert is nobody's and not somebody
// else's (C10). A closed alert is never routed again once it was evaluated, so
// that no link to it can be made anew and open a second ticket (invariant 4). A
// comparison of both sides starts from the links: it misses nothing it does not
// have, and counts the tickets of alerts that are gone by themselves. News that is
// read again by a bookmark's overlap finds no link and is dropped; for tickets
// that have one it stays known. Epochs live in the lease, not in the history. A
// result that comes in after all this is dropped, as one is whose link was lost.
//
// # What a forwarder notices
//
// The rows locked are those that nobody claims. A transaction is about a hundred
// alerts and pauses several times its own length; it waits while the connector
// has a backlog. Intake waits for it where an alert of the same source and key
// fires at that moment, and then finds none.
package retention
