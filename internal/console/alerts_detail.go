package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/alert"
	"tieline/internal/service/alerts"
	"tieline/internal/service/overview"
)

// alertPage is one alert, from raised to closed.
type alertPage struct {
	Page
	Alert     alert.Alert
	Links     []alerts.Link
	Listening []alerts.Absence // connectors that hear its source and do not forward it
	Deaf      int              // connectors that do not hear its source
	More      int              // connectors that may hear it, besides
	Said      []editedField    // what the source said where people edited it
	Events    []timelineEvent
}

// editedField is a field that a person edited.
type editedField struct{ Name, Said, Counts string }

// timelineEvent is one line of the timeline, with how it is marked.
type timelineEvent struct {
	alerts.Event
	Class string
}

// absentMost is of how many connectors the page says why they do not forward the
// alert.
const absentMost = 20

func (c *Console) alertDetailRoutes() []guard.Route {
	return []guard.Route{
		page("/alerts/{alert}", c.alertDetail),
		asks("/alerts/{alert}/edit", access.Operate, c.alertEdit),
		form("/alerts/{alert}/edit", access.Operate, "edit alert", c.editAlert),
		form("/alerts/{alert}/retry", access.Operate, "retry alert", c.retryAlert),
		asks("/alerts/{alert}/give-up", access.Operate, c.alertGiveUp),
		form("/alerts/{alert}/give-up", access.Operate, "give alert up", c.giveAlertUp),
		form("/alerts/{alert}/take-up", access.Operate, "take alert up", c.takeAlertUp),
	}
}

// alertID reads the alert a path names. A beginning of an id, or a ticket id,
// leads to the alert's own address; done is then set, and after a failure.
func (c *Console) alertID(w http.ResponseWriter, r *http.Request) (id alert.ID, done bool) {
	text := r.PathValue("alert")
	if id, err := uuid.Parse(text); err == nil && id.String() == text {
		return id, false
	}
	id, err := c.Services.Alerts.Find(r.Context(), text)
	if err != nil {
		c.fail(w, r, err)
		return id, true
	}
	http.Redirect(w, r, alertURL(id), http.StatusSeeOther)
	return id, true
}

func alertURL(id alert.ID) string { return "/alerts/" + id.String() }

func (c *Console) alertDetail(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	p, err := c.alertPageOf(w, r, id)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "alert.html", p)
}

func (c *Console) alertPageOf(w http.ResponseWriter, r *http.Request, id alert.ID) (alertPage, error) {
	e, err := c.Services.Alerts.ShowSome(r.Context(), id, absentMost)
	if err != nil {
		return alertPage{}, err
	}
	events, err := c.Services.Alerts.Timeline(r.Context(), e.Alert)
	if err != nil {
		return alertPage{}, err
	}
	p := alertPage{Page: c.page(w, r, alertHeadline(e.Alert, 160), "alerts"), Alert: e.Alert, Links: e.Links, More: e.Unexplained}
	p.Live, p.Now = true, e.Now
	for _, a := range e.Absent {
		if a.Listens {
			p.Listening = append(p.Listening, a)
		} else {
			p.Deaf++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Edits)) {
		p.Said = append(p.Said, editedField{name, e.Edits[name].From, e.Edits[name].To})
	}
	for _, event := range events {
		p.Events = append(p.Events, timelineEvent{event, eventClass(event.Kind)})
	}
	return p, nil
}

// eventClass marks what went well and what did not.
func eventClass(kind string) string {
	switch kind {
	case "sent", "merged", "written back", "ticket":
		return "timeline-good"
	case "failed", "parked", "unknown", "gone":
		return "timeline-bad"
	}
	return ""
}

// alertLive keeps an alert's answers and timeline up to date. The database is
// asked again when a connector that forwards the alert did something, or when
// the next try is due.
func (c *Console) alertLive() []liveRoute {
	return []liveRoute{{"GET /alerts/{alert}", func(r *http.Request) livePage {
		var shown alertPage
		var seen string
		id, wrong := uuid.Parse(r.PathValue("alert"))
		return livePage{
			template: "alert.html", panels: []string{"alert-answers", "alert-facts", "alert-timeline"},
			data: func(s overview.State) (any, error) {
				now := workOf(shown, s.Snapshot)
				if wrong != nil || now == seen {
					shown.Page = c.livePanel(r, s.Snapshot.At)
					return shown, wrong
				}
				p, err := c.alertPageOf(nil, r, id)
				if err != nil {
					return nil, err
				}
				shown, seen = p, workOf(p, s.Snapshot)
				shown.Page = c.livePanel(r, s.Snapshot.At)
				return shown, nil
			},
		}
	}}}
}

// workOf tells apart the states of the group between which an alert may have
// changed, as its page is now.
func workOf(p alertPage, s *overview.Snapshot) string {
	if p.Alert.ID == (alert.ID{}) {
		return "nothing read"
	}
	var b strings.Builder
	for _, l := range p.Links {
		k, _ := s.Connector(l.Connector)
		fmt.Fprint(&b, k.Name, k.Active, k.Work.Due, k.Work.InFlight, k.Work.Parked, k.Work.PerMinute, !l.Next.After(s.At), ";")
	}
	return b.String()
}

func (c *Console) retryAlert(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	n, err := c.Services.Alerts.Retry(r.Context(), who(r), r.PostFormValue("connector"), id, "")
	if err != nil {
		c.undone(w, r, alertURL(id), err)
		return
	}
	notice := Notice{Kind: "ok", What: "Due now: it is sent again in turn."}
	if n == 0 {
		notice = Notice{What: "Nothing to retry", Text: "It is being sent at this moment, or has arrived already."}
	}
	c.done(w, r, alertURL(id), notice)
}

// editPage asks for an alert's fields.
type editPage struct {
	Page
	Alert  alert.Alert
	Fields []editField
	What   string // why the last try failed; "" = none
}

// editField is one field to edit.
type editField struct {
	Name, Label, Value string
	Said               string // what the source said, where a person edited it
	Long               bool
	Problem            string
}

func (c *Console) alertEdit(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	e, err := c.Services.Alerts.ShowSome(r.Context(), id, 0)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "alert_edit.html", c.editPageOf(w, r, e.Alert, nil))
}

// editPageOf fills the form with the alert's fields, or with what was typed.
func (c *Console) editPageOf(w http.ResponseWriter, r *http.Request, a alert.Alert, typed map[string]string) editPage {
	p := editPage{Page: c.page(w, r, "Edit alert", "alerts"), Alert: a}
	for _, name := range a.Fields() {
		value := a.Field(name)
		if text, ok := typed[name]; ok {
			value = text
		}
		p.Fields = append(p.Fields, editField{
			Name: name, Label: fieldLabel(name), Value: value, Said: a.Edits[name].From,
			Long: name == "description" || len(value) > 120 || strings.Contains(value, "\n"),
		})
	}
	return p
}

func fieldLabel(name string) string {
	if key, ok := strings.CutPrefix(name, "labels."); ok {
		return "Label " + key
	}
	if key, ok := strings.CutPrefix(name, "annotations."); ok {
		return "Annotation " + key
	}
	if name == "url" {
		return "URL"
	}
	return capital(name)
}

func (c *Console) editAlert(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	revision, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil || revision < 1 {
		c.fail(w, r, notDecidedOn())
		return
	}
	values := map[string]string{}
	for name := range r.PostForm {
		if field, ok := strings.CutPrefix(name, "field."); ok {
			values[field] = strings.ReplaceAll(r.PostForm.Get(name), "\r\n", "\n")
		}
	}
	a, err := c.Services.Alerts.Edit(r.Context(), who(r), id, revision, values)
	if err != nil {
		c.editAgain(w, r, id, values, err)
		return
	}
	if a.Revision == revision {
		c.done(w, r, alertURL(id), Notice{What: "Nothing was changed."})
		return
	}
	c.done(w, r, alertURL(id), Notice{Kind: "ok", What: fmt.Sprintf("Revision %d is sent in turn.", a.Revision),
		Text: "The edit stands until the source says something else."})
}

// editAgain shows the form with what was typed, and why it could not be done.
func (c *Console) editAgain(w http.ResponseWriter, r *http.Request, id alert.ID, values map[string]string, wrong error) {
	what, problems, status, ok := formProblem(wrong)
	if !ok {
		c.fail(w, r, wrong)
		return
	}
	e, err := c.Services.Alerts.ShowSome(r.Context(), id, 0)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p := c.editPageOf(w, r, e.Alert, values)
	p.What = what
	for i := range p.Fields {
		p.Fields[i].Problem = problems[p.Fields[i].Name]
	}
	c.render(w, r, status, "alert_edit.html", p)
}

// Earlier is the id of the alert's earlier occurrence; "" = there is none.
func (p alertPage) Earlier() string {
	if p.Alert.Previous == (alert.ID{}) {
		return ""
	}
	return p.Alert.Previous.String()
}

// Took is how long a call took, for the eye; "" = there was none.
func (e timelineEvent) Took() string {
	if e.Event.Took <= 0 {
		return ""
	}
	return strconv.FormatFloat(float64(e.Event.Took.Microseconds())/1000, 'f', 1, 64) + " ms"
}

// Until is how long it is until a time, for the eye.
func (p alertPage) Until(t time.Time) string { return span(t.Sub(p.Now)) }
