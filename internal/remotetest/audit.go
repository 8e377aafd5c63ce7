package remotetest

import (
	"fmt"
	"slices"
	"strings"
)

// Audit compares what a desk has with what it should have.
type Audit struct {
	Lost      []string // keys without a ticket
	Doubled   []string // keys with several tickets
	Behind    []string // keys whose ticket does not end at the newest revision
	Reversed  []string // keys whose notes were added in another order, or that went back a revision and stayed there
	Strangers []string // keys of tickets that nobody asked for
	Tickets   int
	Dropped   int // creates that the desk's idempotency caught
}

// Clean reports whether nothing was lost, doubled, behind, reversed or strange.
func (a Audit) Clean() bool {
	return len(a.Lost)+len(a.Doubled)+len(a.Behind)+len(a.Reversed)+len(a.Strangers) == 0
}

// String tells the counts, and the first keys of each fault.
func (a Audit) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "tickets %d, dropped creates %d", a.Tickets, a.Dropped)
	for _, f := range []struct {
		name string
		keys []string
	}{{"lost", a.Lost}, {"doubled", a.Doubled}, {"behind", a.Behind}, {"reversed", a.Reversed}, {"strangers", a.Strangers}} {
		fmt.Fprintf(&b, ", %s %d", f.name, len(f.keys))
		if len(f.keys) > 0 {
			fmt.Fprintf(&b, " (%s)", strings.Join(f.keys[:min(len(f.keys), 5)], ", "))
		}
	}
	return b.String()
}

// Audit compares the desk with the newest revision of each key that it should
// have a ticket for.
func (d *Desk) Audit(newest map[string]int64) Audit {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := Audit{Tickets: len(d.tickets)}
	for key, revision := range newest {
		switch tickets := d.byKey[key]; {
		case len(tickets) == 0:
			a.Lost = append(a.Lost, key)
		case len(tickets) > 1:
			a.Doubled = append(a.Doubled, key)
		case tickets[0].Revision != revision:
			a.Behind = append(a.Behind, key)
		}
	}
	for key := range d.byKey {
		if _, ok := newest[key]; !ok {
			a.Strangers = append(a.Strangers, key)
		}
	}
	highest, notes, shown := map[string]int64{}, map[string]int64{}, map[string]int64{}
	for _, e := range d.entries {
		switch {
		case e.Dropped:
			a.Dropped++
		case e.Kind == "note":
			if e.Note < notes[e.Key] {
				a.Reversed = append(a.Reversed, e.Key)
			}
			notes[e.Key] = max(notes[e.Key], e.Note)
		default:
			highest[e.Key], shown[e.Key] = max(highest[e.Key], e.Revision), e.Revision
		}
	}
	for key, revision := range shown {
		if revision < highest[key] {
			a.Reversed = append(a.Reversed, key)
		}
	}
	for _, list := range []*[]string{&a.Lost, &a.Doubled, &a.Behind, &a.Reversed, &a.Strangers} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return a
}
