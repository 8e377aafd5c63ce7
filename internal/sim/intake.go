package sim

import (
	"fmt"

	"github.com/google/uuid"

	"tieline/internal/alert"
)

// observe takes one observation in, as the intake's transaction does: the alert
// as alert.Apply says, and every connector's link wants the new revision.
func (r *rows) observe(w *World, o alert.Observation) alert.ID {
	at := o.Source + "/" + o.Key
	var latest *alert.Alert
	if id, ok := r.latest[at]; ok {
		a := r.alerts[id]
		latest = &a
	}
	a, change := alert.Apply(latest, o)
	if a.ID == (alert.ID{}) {
		a.ID = w.newAlertID(o.Key)
		a.AcceptedAt = w.db.now()
		r.latest[at] = a.ID
	}
	if change.Grew() {
		a.ChangedAt = w.db.now()
	}
	r.alerts[a.ID] = a
	if !change.Grew() {
		return a.ID
	}
	for connector := range r.leases {
		id := alert.LinkID{Connector: connector, Alert: a.ID, Side: alert.Remote}
		row, ok := r.links[id]
		if !ok {
			row = linkRow{Link: alert.NewLink(id, a.Revision)}
		}
		row.Link = row.Want(a.Revision)
		row.due = w.db.now()
		r.put(w, row)
		if a.Status == alert.Closed {
			r.revise(w, connector, a.ID)
		}
	}
	return a.ID
}

// revise makes the source's link, if there is one, want to be told once more.
func (r *rows) revise(w *World, connector string, id alert.ID) {
	back, ok := r.links[alert.LinkID{Connector: connector, Alert: id, Side: alert.Source}]
	if !ok {
		return
	}
	back.Link, back.due = back.Revise(), w.db.now()
	r.put(w, back)
}

// note adds a note to an alert's link, numbered by updating the link itself.
func (r *rows) note(w *World, id alert.LinkID) {
	row, ok := r.links[id]
	if !ok {
		return
	}
	row.NotesWanted++
	row.due = w.db.now()
	r.notes[id] = append(r.notes[id][:len(r.notes[id]):len(r.notes[id])],
		alert.Note{Seq: row.NotesWanted, Text: fmt.Sprintf("note %d", row.NotesWanted)})
	r.put(w, row)
}

// newAlertID returns an id that depends on the seed alone.
func (w *World) newAlertID(key string) alert.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts[key]++
	id := uuid.NewSHA1(w.group, fmt.Appendf(nil, "%d %s %d", w.seed, key, w.alerts[key]))
	w.labels[id] = fmt.Sprintf("%s.%d", key, w.alerts[key])
	return id
}

// nameOf is a link's name in traces.
func (w *World) nameOf(id alert.LinkID) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	name, ok := w.labels[id.Alert]
	if !ok {
		name = "?"
	}
	if id.Side == alert.Source {
		name += "(back)"
	}
	return name
}
