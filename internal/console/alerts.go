package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tieline/internal/access/guard"
	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/service/alerts"
	"tieline/internal/service/overview"
)

// alertsPage is how many alerts a page of the list shows.
const alertsPage = 50

// alertListPage is the list of alerts, of all connectors or of one.
type alertListPage struct {
	Page
	Filter alertFilter
	Alerts []alertRow
	Newer  string // address of the first page; "" = this is it
	Older  string // address of the next page; "" = there is none
	// LookedTo is how far back a search has come that ended before the page was
	// full; zero = it went to the end, or the page is full.
	LookedTo time.Time
	Base     string // address without query
	Stages   []alert.Stage
}

// alertFilter is what the list's address asks.
type alertFilter struct {
	Text, Connector, Source, Severity string
	Status                            alert.Status
	Stage                             alert.Stage
	Parked, Overdue                   bool
	Before                            alerts.Cursor
}

// alertRow is one alert of a list.
type alertRow struct {
	alert.Alert
	Tickets []ticketCell
	Mark    string // class of the row
}

// ticketCell says what became of an alert for one connector.
type ticketCell struct {
	Connector string
	Ticket    string
	URL       string // of the remote's page; "" = it has none
	Word      string // "parked", "waiting", ...; "" = the ticket shows the newest revision
	Kind      string // class of the word
	Why       string // the reason beside the word
}

var alertStages = []alert.Stage{alert.Fresh, alert.Uncertain, alert.Looked, alert.Verify, alert.Twins, alert.Settled}

func (c *Console) alertRoutes() []guard.Route {
	return slices.Concat([]guard.Route{
		page("/alerts", c.checked(c.alertList, alertParameters...)),
		page("/connectors/{connector}/alerts", c.checked(c.connectorAlerts, alertParameters...)),
	}, c.alertDetailRoutes(), c.parkedRoutes())
}

func (c *Console) alertList(w http.ResponseWriter, r *http.Request) {
	p := alertListPage{Page: c.page(w, r, "Alerts", "alerts"), Base: "/alerts"}
	p.Filter = alertFilterOf(r.URL.Query())
	list, err := c.Services.Alerts.List(r.Context(), p.Filter.ask(alertsPage))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.showAlerts(w, r, p, list)
}

// connectorAlerts is the same list as a tab of a connector.
func (c *Console) connectorAlerts(w http.ResponseWriter, r *http.Request) {
	name, filter := r.PathValue("connector"), alertFilterOf(r.URL.Query())
	filter.Connector = name
	var snapshot *overview.Snapshot
	var list alerts.Page
	reads, ctx := errgroup.WithContext(r.Context())
	reads.Go(func() (err error) { snapshot, err = c.Services.Overview.Read(ctx); return })
	reads.Go(func() (err error) { list, err = c.Services.Alerts.List(ctx, filter.ask(alertsPage)); return })
	if err := reads.Wait(); err != nil {
		c.fail(w, r, err)
		return
	}
	k, ok := snapshot.Connector(name)
	if !ok {
		c.fail(w, r, fault.New(fault.NotFound, "there is no connector "+strconv.Quote(name)))
		return
	}
	p := alertListPage{Page: c.page(w, r, "Alerts", "connectors"), Base: connectorURL(name) + "/alerts"}
	p.Connector = frame(name, c.Services.Overview.Remote(r.Context(), name, k.Settings.Version), k.Active, "alerts")
	p.Filter = filter
	c.showAlerts(w, r, p, list)
}

// showAlerts answers with a page of a list.
func (c *Console) showAlerts(w http.ResponseWriter, r *http.Request, p alertListPage, list alerts.Page) {
	p.Stages, p.Live = alertStages, true
	if p.Filter.Before != (alerts.Cursor{}) {
		p.Newer = p.Base + p.Filter.query(alerts.Cursor{}, p.Connector == nil)
	}
	if list.Next != (alerts.Cursor{}) {
		p.Older = p.Base + p.Filter.query(list.Next, p.Connector == nil)
		if len(list.Rows) < alertsPage {
			p.LookedTo = list.Next.AcceptedAt
		}
	}
	for _, row := range list.Rows {
		p.Alerts = append(p.Alerts, alertRowOf(row))
	}
	c.render(w, r, http.StatusOK, "alerts.html", p)
}

func alertRowOf(row alerts.Row) alertRow {
	r := alertRow{Alert: row.Alert}
	for _, l := range row.Links {
		if l.Side != alert.Remote && l.Parked == "" {
			continue
		}
		cell := ticketCellOf(l)
		r.Tickets = append(r.Tickets, cell)
		if l.Parked != "" {
			r.Mark = "urgent"
		} else if cell.Kind == "tag-amber" && r.Mark == "" {
			r.Mark = "attention"
		}
	}
	return r
}

// ticketCellOf says in a word how a link stands, as far as the link itself tells.
func ticketCellOf(l alert.Link) ticketCell {
	cell := ticketCell{Connector: l.Connector, Ticket: l.Ticket, URL: l.TicketURL}
	switch {
	case l.Parked != "":
		cell.Word, cell.Kind, cell.Why = "parked", "tag-red", clip(alerts.Brief(l.Parked), 120)
	case l.GivenUp():
		cell.Word, cell.Why = "given up", clip(l.Skipped, 120)
	case l.Skipped != "":
		cell.Word, cell.Why = "not sent", clip(l.Skipped, 120)
	case !l.Due() && l.Ticket == "":
		cell.Word = "sent, no ticket id told"
	case !l.Due():
	case l.Claim.ID != uuid.Nil:
		cell.Word, cell.Kind = "sending", "tag-accent"
	case l.Attempts > 0:
		cell.Word, cell.Kind, cell.Why = "waiting", "tag-amber", clip(plural(l.Attempts, "try", "tries")+" failed: "+alerts.Brief(l.Failure), 120)
	default:
		cell.Word = "due"
	}
	return cell
}

// alertFilterOf reads a filter whose parameters were checked.
func alertFilterOf(q url.Values) alertFilter {
	before, _ := parsePlace(q.Get("before"))
	return alertFilter{
		Text: strings.TrimSpace(q.Get("q")), Connector: strings.TrimSpace(q.Get("connector")), Source: strings.TrimSpace(q.Get("source")),
		Severity: strings.TrimSpace(q.Get("severity")), Status: alert.Status(q.Get("status")), Stage: alert.Stage(q.Get("stage")),
		Parked: q.Get("parked") != "", Overdue: q.Get("overdue") != "", Before: before,
	}
}

// parsePlace reads the place in the list that query writes.
func parsePlace(text string) (alerts.Cursor, bool) {
	at, id, _ := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	parsed, wrong := uuid.Parse(id)
	if err != nil || wrong != nil {
		return alerts.Cursor{}, false
	}
	return alerts.Cursor{AcceptedAt: time.UnixMicro(micros), ID: parsed}, true
}

// ask is the filter as the service takes it.
func (f alertFilter) ask(limit int) alerts.Query {
	q := alerts.Query{
		Connector: f.Connector, Status: f.Status, Stage: f.Stage, Text: f.Text, Source: f.Source, Severity: f.Severity,
		Parked: f.Parked, Before: f.Before, Limit: limit,
	}
	if f.Overdue {
		q.Overdue = alerts.OverdueAfter
	}
	return q
}

// query is the filter as an address has it, for the page after a place.
func (f alertFilter) query(before alerts.Cursor, withConnector bool) string {
	q := url.Values{}
	put := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	put("q", f.Text)
	put("source", f.Source)
	put("severity", f.Severity)
	put("status", string(f.Status))
	put("stage", string(f.Stage))
	if withConnector {
		put("connector", f.Connector)
	}
	if f.Parked {
		q.Set("parked", "1")
	}
	if f.Overdue {
		q.Set("overdue", "1")
	}
	if before != (alerts.Cursor{}) {
		q.Set("before", strconv.FormatInt(before.AcceptedAt.UnixMicro(), 10)+"."+before.ID.String())
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// Asks reports whether the filter leaves anything out; on a connector's tab its
// name does not count.
func (p alertListPage) Asks() bool {
	f := p.Filter
	f.Before = alerts.Cursor{}
	if p.Connector != nil {
		f.Connector = ""
	}
	return f != alertFilter{}
}

// State is how the alert and its tickets stand, in words that change when they do.
func (r alertRow) State() string {
	words := []string{string(r.Status)}
	for _, t := range r.Tickets {
		words = append(words, strings.TrimSpace(t.Connector+" "+t.Ticket+" "+t.Word))
	}
	return strings.Join(words, ", ")
}

// clip shortens a text to n runes.
func clip(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return s
}

// Headline is the alert in one line: its summary, or its key.
func (r alertRow) Headline() string { return alertHeadline(r.Alert, 160) }

func alertHeadline(a alert.Alert, most int) string {
	if a.Summary == "" {
		return clip(a.Key, most)
	}
	return clip(a.Summary, most)
}
