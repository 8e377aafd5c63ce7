package rt

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tieline/internal/alert"
)

// maxSubject is how much of a subject Request Tracker keeps, in bytes.
const maxSubject = 200

// atCreate are the fields of Request Tracker itself that are set when a ticket
// is made, and then belong to the people who work it.
var atCreate = []string{
	"Queue", "Owner", "Requestor", "Cc", "AdminCc",
	"Starts", "Started", "Due", "TimeEstimated", "InitialPriority",
}

// kept are those that an update sets again. Their values are numbers.
var kept = []string{"Priority", "FinalPriority"}

// wanted is what a ticket should show of a draft.
type wanted struct {
	subject string
	state   string            // "" = as it is
	numbers map[string]string // of kept
	custom  map[string]string
	create  map[string]string // of atCreate
}

func (a *Adapter) wanted(d alert.Draft) wanted {
	w := wanted{
		subject: subject(d.Subject), state: d.State,
		numbers: map[string]string{}, custom: map[string]string{}, create: map[string]string{"Queue": a.queue},
	}
	if a.requestor != "" {
		w.create["Requestor"] = a.requestor
	}
	for name, value := range d.Fields {
		switch {
		case slices.Contains(kept, name):
			w.numbers[name] = clean(value)
		case slices.Contains(atCreate, name):
			w.create[name] = clean(value)
		default:
			w.custom[name] = clean(value)
		}
	}
	if a.severityField != "" {
		w.custom[a.severityField] = clean(d.Severity)
	}
	if a.bodyField != "" {
		w.custom[a.bodyField] = clean(d.Body)
	}
	w.custom[a.keyField] = string(d.Key)
	return w
}

// subject makes a text fit for a subject: Request Tracker drops newlines
// without a blank in their place, and cuts what is too long.
func subject(s string) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	if len(s) <= maxSubject {
		return s
	}
	end := maxSubject - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSpace(s[:end]) + "…"
}

// clean makes a text storable in every database Request Tracker runs on.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.ReplaceAll(s, "\x00", ""))
}

// differs names the fields of a ticket that do not show what is wanted, in a
// fixed order: Subject, Status, numbers, custom fields.
func (w wanted) differs(t record) []string {
	var names []string
	if t.text("Subject") != w.subject {
		names = append(names, "Subject")
	}
	if w.state != "" && t.text("Status") != w.state {
		names = append(names, "Status")
	}
	for _, name := range slices.Sorted(maps.Keys(w.numbers)) {
		if !sameNumber(t.text(name), w.numbers[name]) {
			names = append(names, name)
		}
	}
	has := t.customFields()
	for _, name := range slices.Sorted(maps.Keys(w.custom)) {
		if clean(has[name]) != w.custom[name] {
			names = append(names, name)
		}
	}
	return names
}

// sameNumber compares numbers; a word (Request Tracker can be set up to take
// "High") cannot be compared with the number it is shown as.
func sameNumber(has, want string) bool {
	w, err := strconv.Atoi(want)
	if err != nil {
		return true
	}
	h, err := strconv.Atoi(has)
	return err == nil && h == w
}

// change returns the body of an update that mends the named fields.
func (w wanted) change(names []string) map[string]any {
	body, custom := map[string]any{}, map[string]string{}
	for _, name := range names {
		switch {
		case name == "Subject":
			body[name] = w.subject
		case name == "Status":
			body[name] = w.state
		case slices.Contains(kept, name):
			body[name] = w.numbers[name]
		default:
			custom[name] = w.custom[name]
		}
	}
	if len(custom) > 0 {
		body["CustomFields"] = custom
	}
	return body
}
