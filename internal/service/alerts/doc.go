// Package alerts shows people what became of alerts, and does what they decide:
// the list with its filters, one alert from raised to closed with the answer to
// "why has it no ticket?" for every connector, and the parked desk. The console,
// the API and the command line say the same because they ask here.
//
// # Editing
//
// A remote may refuse what a source said: a word it does not know, a text that
// is too long. Where the document's mapping cannot mend that, a person edits the
// alert's fields. An edit is a new revision of the alert like any other, so that
// nothing about claims, order or retries is special to it, and every connector
// that forwards the alert is told. It stands as long as the source repeats what
// was replaced; what the source says anew counts (alert.Edits).
//
// # Giving up
//
// A parked link may be given up, with a reason, where no ticket exists and none
// can (alert.Link.GiveUp): rule C8 keeps all others on the desk. It can be taken
// up again.
package alerts
