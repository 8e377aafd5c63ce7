// Package generic is the source for anything that can post JSON.
//
// A body is one alert, a list of alerts, or {"alerts": [...]}. An alert has
//
//	key          the source's own name for the problem; default: made from the
//	             labels, or from the summary where there are none
//	status       "open" (default) or "firing"; "closed" or "resolved"
//	severity     the source's own word
//	summary      one line
//	description  any text
//	labels       texts by name that identify the problem
//	annotations  texts by name that describe it
//	url          the source's page about it
//	starts_at    RFC 3339, when the problem began
//	ends_at      RFC 3339, when it ended; of a closed one alone
//
// All are optional, but a key, labels or a summary there must be, and none of
// blanks alone. An unknown field is refused, so that a misspelt one is not lost,
// and so are a time before 1970 (but 0001-01-01T00:00:00Z, which some programs
// write for none) and the end of an alert whose status is open.
//
// Where the setting "callback" names an address, what becomes of an alert is
// posted there; see Callback. The comparison needs a list, which this source
// does not have.
package generic
