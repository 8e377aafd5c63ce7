package app

import (
	"fmt"
	"maps"
	"slices"

	"tieline/internal/connector"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// Note is what a person should know of a valid document: it works, and does
// less than it could.
type Note struct {
	Path    string `json:"path"`
	Message string `json:"message"` // what it means, and what to configure
}

// Notes finds what a valid document leaves weaker than it could be.
func Notes(doc *connector.Document) []Note {
	var notes []Note
	if traits, ok := adapterTraits(doc); ok && traits.Guarantee == remote.AtLeastOnce {
		notes = append(notes, Note{Path: "remote.settings", Message: `tickets are made at least once: nothing tells whether a create whose answer was lost was carried out, so it is sent again and may make a second ticket. ` +
			`Configure "lookup" (a request that finds tickets by key), or "idempotent: true" if the remote system drops a create with a key it has seen.`})
	}
	for i, s := range doc.Sources {
		if s.Kind != "alertmanager" || s.URL == "" || !acknowledges(doc) {
			continue
		}
		if s.Settings["silence"] == "" {
			notes = append(notes, Note{Path: fmt.Sprintf("sources[%d].settings.silence", i), Message: `it is not set: an acknowledged alert is silenced for 4h, and not again when that has passed. ` +
				`Alertmanager then notifies its other receivers of it, although its ticket is still being worked on. Set it to as long as a person may take.`})
		}
		if s.Settings["receiver"] == "" {
			notes = append(notes, Note{Path: fmt.Sprintf("sources[%d].settings.receiver", i), Message: `it is not set, and acknowledged alerts are silenced: an alert that resolves while silenced and fires again is pushed only after Alertmanager's repeat_interval. ` +
				`Set it to the name of Alertmanager's receiver for Tieline, so that the comparison takes in what was not pushed.`})
		}
	}
	return notes
}

// acknowledges reports whether a state of the tickets is mapped back as one that
// an Alertmanager shows by a silence.
func acknowledges(doc *connector.Document) bool {
	return slices.Contains(slices.Collect(maps.Values(doc.States.Back)), source.Acknowledged)
}
