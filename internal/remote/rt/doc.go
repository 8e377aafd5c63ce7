// Package rt is the adapter for Request Tracker 5, by its REST interface 2.0.
//
// # Guarantee
//
// Lookup: every ticket carries its key in a custom field, so an unknown outcome
// is looked up. Request Tracker has no unique key of its own: four creates at
// once with one key make four tickets, and a create whose caller gave up is
// carried out later all the same. The adapter is also a Comparer, Merger,
// Noter, Poller and Lister.
//
// # Settings
//
//	remote:
//	  kind: rt
//	  endpoints: [https://rt.example.com]   # "/REST/2.0" is added where it is missing
//	  token: env:RT_TOKEN                   # or user and password
//	  settings:
//	    queue: Alerts                  # required: where tickets are made
//	    key_field: Alert ID            # custom field that holds the key
//	    severity_field: Alert Severity # custom field for the severity; absent = not told
//	    body_field: Alert Text         # custom field that repeats the body, so that updates show it
//	    requestor: noc@example.com
//	    also_watch: [Network]          # queues that tickets may be moved to, for news
//	    ended: [resolved, rejected, deleted] # states in which a ticket is not open
//	    web_url: https://rt.example.com      # for links; default: the first endpoint
//	    settle: 30s                    # how much later a stalled request may be carried out
//	    ca_file: /etc/ssl/rt-ca.pem
//
// The document's fields become custom fields of the same name, except those
// Request Tracker has itself: Queue, Owner, Requestor, Cc, AdminCc, Starts,
// Started, Due, TimeEstimated and InitialPriority are set when a ticket is
// made and then left to its people; Priority and FinalPriority are kept.
//
// The token's user needs the rights SeeQueue, SeeCustomField, ModifyCustomField,
// SetInitialCustomField, CreateTicket, ShowTicket, ShowTicketComments,
// ModifyTicket and CommentOnTicket on the queue.
//
// # What Request Tracker says and does
//
// It answers 200 to an update with an impossible status and changes nothing,
// and 201 to a create with a custom field the queue lacks, dropping the value.
// So custom fields are checked against the queue before a create, and every
// write is read back; what was not done is asked for once more, and is then a
// Permanent failure naming the field. A create that made a ticket which does
// not show the draft is of unknown outcome, so that the ticket is looked up and
// updated instead of made again. Updates are conditional (If-Match) on the state that was read.
// A state that was set, and that somebody changed before it was read back, was
// set: the ticket's transactions tell, and the change stays.
//
// The text of a ticket's creation cannot be changed afterwards: an update shows
// a changed body only in body_field.
//
// A ticket that people merged into one which does not carry its key is left alone,
// because two alerts would fight over it; its news is the state "merged". When its
// alert has something new to tell, the link is parked with both tickets' numbers,
// and when the alert closes, nothing remains to be told. A ticket that people
// deleted is gone: lifecycle.refire.deleted says whether an open alert gets another
// one (new, the default, or linked) or its link is parked. Deleted tickets are not
// found by searches, so neither by key.
//
// # News
//
// News is read by transaction number, re-reading an overlap of numbers, because
// they become visible out of order; the bookmark lists those of the overlap
// that were read. Tickets moved to a queue that is not watched are silent.
package rt
