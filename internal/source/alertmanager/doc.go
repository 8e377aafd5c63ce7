// Package alertmanager is the source for Prometheus Alertmanager.
//
// It reads the webhook (version 4), lists the alerts for the comparison, and
// shows an acknowledgement as a silence.
//
// An alert's key is Alertmanager's fingerprint: a hash of its labels, so that
// the same labels firing again are the same problem. Severity is the label
// severity; summary and description are the annotations of these names, with
// message and the label alertname to fall back on; the address is generatorURL.
//
// # Listing
//
// Alertmanager forgets alerts that fire and resolve while no receiver answers,
// and all of them when it restarts, so that the pushed alerts alone do not tell
// which are open. The list has active and suppressed alerts: a silenced alert
// is still a problem. Where Alertmanager routes only some alerts to Tieline,
// the setting "receiver" must name the receiver, or the comparison would take
// the others for new ones.
//
// # Silences
//
// An acknowledged alert is silenced by exactly its labels, for the time that
// the setting "silence" says (default 4h). The silence's comment carries the
// alert's id, by which it is found again: writing twice makes one silence.
// Alertmanager pushes nothing of a silenced alert, neither its end nor a new
// beginning; the comparison finds both.
package alertmanager
