package sim

import (
	"slices"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/source"
)

// ended checks what must hold when everything has come to rest.
func (c *checker) ended(r *rows, k *Desk) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range sortedAlerts(r) {
		id := alert.LinkID{Connector: connectorName, Alert: a.ID, Side: alert.Remote}
		row, ok := r.links[id]
		if !ok {
			c.found("I3: %s has no link", c.w.nameOf(id))
			continue
		}
		c.linkEnded(row.Link, a, k)
		id.Side = alert.Source
		if a.Status == alert.Open && row.Parked == "" && k.kind == lookupDesk {
			c.backEnded(row.Link, r.links[id].Link, k)
		}
		if a.Status == alert.Closed {
			c.backOver(r.links[id].Link)
		}
	}
	if c.w.plan.compare > 0 {
		for _, a := range c.w.vanished(r) {
			c.found("way back: the source forgot %s, which is still open", a.Key)
		}
	}
	c.activeEnded(r)
}

func (c *checker) linkEnded(l alert.Link, a alert.Alert, k *Desk) {
	name := c.w.nameOf(l.LinkID)
	if l.Claim.ID != uuid.Nil {
		c.found("liveness: a claim of %s was left over", name)
	}
	if l.Parked != "" || l.Skipped != "" {
		return
	}
	if l.Due() {
		c.found("I3: %s is still due (%s, delivered %d of %d)", name, l.Stage, l.Delivered, l.Wanted)
		return
	}
	if l.Wanted != a.Revision {
		c.found("I5: the link of %s wants revision %d of %d", name, l.Wanted, a.Revision)
	}
	open := k.survivors(alert.NewKey(c.w.group, l.Connector, a.ID))
	if len(open) == 0 {
		c.found("I3: %s is settled and has no ticket", name)
		return
	}
	doubled := len(open) > 1
	if doubled && !(k.kind == blindDesk && c.uncertain[l.LinkID]) {
		c.found("I4: %s has %d tickets", name, len(open))
	}
	at := slices.IndexFunc(open, func(t *deskTicket) bool { return t.view().ID == l.Ticket })
	if at < 0 || at > 0 && k.kind != blindDesk {
		c.found("I4: the link of %s names ticket %q, the survivor is %d", name, l.Ticket, open[0].id)
		return
	}
	c.ticketEnded(name, l, a, open[at], k.kind)
}

func (c *checker) ticketEnded(name string, l alert.Link, a alert.Alert, t *deskTicket, kind deskKind) {
	// Without a way to read back, a late older write cannot be noticed.
	mendable := kind == lookupDesk || !c.uncertain[l.LinkID]
	if t.revision != a.Revision && mendable {
		c.found("I5: the ticket of %s shows revision %d of %d", name, t.revision, a.Revision)
	}
	var first []int64
	for _, n := range t.notes {
		if !slices.Contains(first, n) {
			first = append(first, n)
		}
	}
	if !slices.IsSorted(first) {
		c.found("I5: the notes of %s arrived as %v", name, t.notes)
	}
}

// backEnded checks the way back: we heard what the desk shows, and the source
// shows what we heard.
func (c *checker) backEnded(l, back alert.Link, k *Desk) {
	name := c.w.nameOf(l.LinkID)
	if t := k.find(l.Ticket); t != nil && t.state != l.Heard && !c.w.db.failed {
		if _, told := backState(t.state); told {
			c.found("way back: the ticket of %s is %q, we heard %q", name, t.state, l.Heard)
		}
	}
	if t := k.find(l.Ticket); l.Heard == "merged" && t != nil && !t.merged {
		c.found("C7: the link of %s heard of a twin that was merged", name)
	}
	word, mapped := backState(l.Heard)
	if back.Parked != "" || !mapped || c.beyond[back.LinkID] {
		return
	}
	c.w.mu.Lock()
	shown := c.w.shown[l.Alert]
	c.w.mu.Unlock()
	if shown != word && !(c.w.db.failed && back.Stage == "") {
		c.found("way back: the ticket of %s is %q, the source shows %q", name, l.Heard, shown)
	}
}

// backOver checks that the source shows nothing of a ticket whose alert is over.
func (c *checker) backOver(back alert.Link) {
	if c.beyond[back.LinkID] {
		return
	}
	c.w.mu.Lock()
	shown := c.w.shown[back.LinkID.Alert]
	c.w.mu.Unlock()
	if shown != "" && shown != source.Ended && back.Stage != "" && back.Parked == "" {
		c.found("way back: %s is over, its source still shows %q", c.w.nameOf(back.LinkID), shown)
	}
}

func (c *checker) activeEnded(r *rows) {
	for name, l := range r.leases {
		active := 0
		all := 0
		for p, epoch := range c.works {
			if p.isDead() {
				continue
			}
			all++
			if epoch == l.Epoch && p.boot == l.Boot && c.w.well(l.Boot) {
				active++
			}
		}
		if active != 1 || all != 1 {
			c.found("liveness: %s has %d working Actives, %d work (the lease names %q)", name, active, all, l.Boot)
		}
	}
}
