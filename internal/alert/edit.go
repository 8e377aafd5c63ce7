package alert

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Edit is what a person made of one field of an alert because the remote would
// not take what the source said.
type Edit struct {
	From string `json:"from"` // what the source said
	To   string `json:"to"`   // what it counts as
}

// Edits are an alert's, by field: "severity", "summary", "description", "url",
// "labels.NAME" or "annotations.NAME". An edit stands as long as the source says
// what it said when the edit was made; what it says anew counts.
type Edits map[string]Edit

// Over returns what a source says with the edits in place of what they replace.
func (e Edits) Over(c Content) Content {
	for field, edit := range e {
		if said, ok := c.field(field); ok && said == edit.From {
			c = c.with(field, edit.To)
		}
	}
	return c
}

// Revert returns content as the source said it: the inverse of Over.
func (e Edits) Revert(c Content) Content {
	for field, edit := range e {
		if counts, ok := c.field(field); ok && counts == edit.To {
			c = c.with(field, edit.From)
		}
	}
	return c
}

// Fields returns the names of the content's fields that a person may edit, in
// the order in which they are shown: the texts, then every label and annotation
// the source gave.
func (c Content) Fields() []string {
	names := []string{"severity", "summary", "description", "url"}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		names = append(names, "labels."+k)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Annotations)) {
		names = append(names, "annotations."+k)
	}
	return names
}

// Field returns the value of a field by its name; "" when there is none.
func (c Content) Field(name string) string {
	value, _ := c.field(name)
	return value
}

func (c Content) field(name string) (value string, ok bool) {
	switch name {
	case "severity":
		return c.Severity, true
	case "summary":
		return c.Summary, true
	case "description":
		return c.Description, true
	case "url":
		return c.URL, true
	}
	if key, is := strings.CutPrefix(name, "labels."); is {
		value, ok = c.Labels[key]
	} else if key, is := strings.CutPrefix(name, "annotations."); is {
		value, ok = c.Annotations[key]
	}
	return value, ok
}

// with returns the content with one field replaced, sharing no map with it.
func (c Content) with(name, value string) Content {
	switch name {
	case "severity":
		c.Severity = value
	case "summary":
		c.Summary = value
	case "description":
		c.Description = value
	case "url":
		c.URL = value
	}
	if key, is := strings.CutPrefix(name, "labels."); is {
		c.Labels = maps.Clone(c.Labels)
		c.Labels[key] = value
	} else if key, is := strings.CutPrefix(name, "annotations."); is {
		c.Annotations = maps.Clone(c.Annotations)
		c.Annotations[key] = value
	}
	return c
}

// Edit returns the alert after a person set fields to new values, as a new
// revision, and what changed in words ("summary: a -> b"), in the order of the
// fields' names. Setting a field to what the source said ends its edit. Nothing
// changed is no new revision and no words; a field the alert does not have is
// an error.
func (a Alert) Edit(values map[string]string) (Alert, []string, error) {
	edits := maps.Clone(a.Edits)
	if edits == nil {
		edits = Edits{}
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		old, ok := a.field(name)
		if !ok {
			return a, nil, fmt.Errorf("the alert has no field %q", name)
		}
		if values[name] == old {
			continue
		}
		from := old
		if before, edited := edits[name]; edited && before.To == old {
			from = before.From
		}
		edits[name] = Edit{From: from, To: values[name]}
		if from == values[name] {
			delete(edits, name)
		}
		a.Content = a.Content.with(name, values[name])
		changes = append(changes, fmt.Sprintf("%s: %q -> %q", name, old, values[name]))
	}
	if len(changes) == 0 {
		return a, nil, nil
	}
	a.Edits = edits
	if len(edits) == 0 {
		a.Edits = nil
	}
	a.Revision++
	return a, changes, nil
}

// givenUp begins the Skipped text of a link that a person gave up.
const givenUp = "given up by "

// GiveUp returns a parked link for which nothing is to be sent any more, because
// a person says so, and whether that may be: only where no ticket exists and none
// can, which is known of a Fresh link alone. Any other may have a ticket, which
// must hear of the close, or be looked for first (rule C8).
func (l Link) GiveUp(who, reason string) (Link, bool) {
	if l.Parked == "" || l.Stage != Fresh || l.Ticket != "" || l.Claim.ID != uuid.Nil || l.Evidence != "" || l.Side != Remote {
		return l, false
	}
	l.Parked, l.Attempts, l.Failure = "", 0, ""
	l.Skipped = givenUp + who + ": " + reason
	return l, true
}

// TakeUp returns a link that a person gave up as one that is to be sent again,
// and whether it was given up by a person.
func (l Link) TakeUp() (Link, bool) {
	if !l.GivenUp() {
		return l, false
	}
	l.Skipped = ""
	return l, true
}

// GivenUp reports whether a person gave the link up.
func (l Link) GivenUp() bool { return strings.HasPrefix(l.Skipped, givenUp) }
