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
// is still a problem.
//
// The setting "receiver" names Alertmanager's receiver for Tieline. With it the
// comparison also finds alerts that were never pushed; without it, it could not
// tell them from those that Alertmanager routes to others.
//
// A webhook with max_alerts leaves out what is beyond it, and says how many.
// That is logged and counted (tieline_omitted_alerts_total), and with the settings
// "url" and "receiver" the Active fetches the rest from the list at once. Without
// them those alerts wait until Alertmanager tells of them: leave max_alerts at 0.
//
// # Silences
//
// An acknowledged alert is silenced by exactly its labels, for the time that
// the setting "silence" says (default 4h). The silence's comment carries the
// alert's id, by which it is found again: writing twice makes one silence.
// A silence ends when the ticket's state maps to open, and when its alert closes,
// so that the next occurrence is no longer silenced.
//
// Alertmanager pushes nothing of a silenced alert, neither its end nor a new
// beginning. The comparison finds the end. As Alertmanager believes to have told
// of the alert all along, it pushes the next occurrence only after its
// repeat_interval; with the setting "receiver" the comparison finds it before.
//
// A silence that runs out is not made anew while its ticket goes on as it is:
// Alertmanager notifies of the alert again, which here is only a repeat. Choose
// the setting as long as a person may take.
package alertmanager
