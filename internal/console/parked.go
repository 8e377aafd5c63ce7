package console

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/service/alerts"
)

// parkedPage is how many links a page of the parked desk shows.
const parkedPage = 25

// parkedListPage is the parked desk.
type parkedListPage struct {
	Page
	Of, Text string // what the address asks: a connector, a text of the reason
	Rows     []parkedRow
	From     string // the link that the page begins after; "" = the first
	Newer    string // address of the first page; "" = this is it
	Older    string // address of the next page; "" = there is none
	Underway int    // links that are due, wait for their next try or are being sent
	Reason   string // for giving up, as it was typed
}

// parkedRow is one parked link.
type parkedRow struct {
	alert.Link
	Since    time.Time
	Headline string
	Value    string // names the link
	Tick     string // names it in a form, as it is
	Ticked   bool
	GiveUp   bool            // it can be
	Tried    *alerts.Event   // what was sent last, shortened
	Message  *alerts.Message // what a retry sends
	Sent     []sentField     // its parts, where nothing is known of what was sent
}

// sentField is one part of a message, shortened.
type sentField struct{ Name, Value string }

// What the desk shows of a message; the alert's page has all of it.
const (
	sentFields = 12
	sentValue  = 200
	sentBody   = 600
	triedText  = 1200
)

// triedOf is what was sent, shortened.
func triedOf(e *alerts.Event) *alerts.Event {
	if e == nil {
		return nil
	}
	short := *e
	short.Text = clip(e.Text, triedText)
	return &short
}

// sentOf are the parts of a message that have something in them.
func sentOf(m *alerts.Message) []sentField {
	if m == nil || m.Problem != "" {
		return nil
	}
	var all []sentField
	add := func(name, value string, most int) {
		if value != "" && len(all) < sentFields {
			all = append(all, sentField{name, clip(value, most)})
		}
	}
	add("subject", m.Subject, sentValue)
	add("severity", m.Severity, sentValue)
	add("state", m.State, sentValue)
	add("body", m.Body, sentBody)
	for _, name := range slices.Sorted(maps.Keys(m.Fields)) {
		add(name, m.Fields[name], sentValue)
	}
	return all
}

func (c *Console) parkedRoutes() []guard.Route {
	return []guard.Route{
		page("/parked", c.checked(c.parked, linkParameter)),
		form("/parked/retry", access.Operate, "retry parked", c.retryParked),
		{Pattern: "GET /parked/give-up", Needs: access.Operate, Handler: c.checked(c.allParkedUp, linkParameter)},
		form("/parked/give-up", access.Operate, "give parked up", c.giveParkedUp),
	}
}

func (c *Console) parked(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := parkedListPage{Page: c.page(w, r, "Parked", "parked"), Of: strings.TrimSpace(q.Get("connector")), Text: strings.TrimSpace(q.Get("q"))}
	p.Live = true
	if err := c.readDesk(r, &p, q.Get("after")); err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "parked.html", p)
}

// readDesk fills in the page of the desk that begins after a link.
func (c *Console) readDesk(r *http.Request, p *parkedListPage, from string) error {
	ask := alerts.ParkedQuery{Connector: p.Of, Text: p.Text, Limit: parkedPage + 1}
	if after, ok := parseLink(from); ok {
		ask.After, p.From, p.Newer = &after, from, p.address(nil)
	}
	var rows []alerts.DeskLink
	var underway int64
	reads, ctx := errgroup.WithContext(r.Context())
	reads.Go(func() (err error) { rows, err = c.Services.Alerts.Desk(ctx, ask); return })
	reads.Go(func() (err error) { underway, err = c.Services.Alerts.Underway(ctx, p.Of); return })
	if err := reads.Wait(); err != nil {
		return err
	}
	if len(rows) > parkedPage {
		rows = rows[:parkedPage]
		p.Older = p.address(&rows[parkedPage-1].LinkID)
	}
	for _, row := range rows {
		shown := parkedRow{
			Link: row.Link, Since: row.Since, Headline: alertHeadline(row.Of, 120),
			Value: linkText(row.LinkID), Tick: tickText(row.Link), GiveUp: alerts.MayGiveUp(row.Link), Tried: triedOf(row.Tried), Message: row.Message,
		}
		if shown.Tried == nil {
			shown.Sent = sentOf(row.Message)
		}
		p.Rows = append(p.Rows, shown)
	}
	p.Underway = int(underway)
	return nil
}

// parkedAgain shows the desk with what was typed and ticked, and why that could not
// be done. A tick is of a link as it was seen: of one that changed since, it is gone.
func (c *Console) parkedAgain(w http.ResponseWriter, r *http.Request, wrong error) {
	_, _, status, ok := formProblem(wrong)
	if !ok || errors.Is(wrong, errUnseen) {
		c.undone(w, r, parkedBack(r), wrong)
		return
	}
	p := parkedListPage{Page: c.page(w, r, "Parked", "parked"), Of: r.PostFormValue("connector"), Text: r.PostFormValue("q"), Reason: r.PostFormValue("reason")}
	if err := c.readDesk(r, &p, r.PostFormValue("after")); err != nil {
		c.fail(w, r, err)
		return
	}
	for i := range p.Rows {
		p.Rows[i].Ticked = slices.Contains(r.PostForm["link"], p.Rows[i].Tick)
	}
	var known *fault.Error
	if errors.As(wrong, &known) {
		p.Notice = &Notice{Kind: "red", What: capital(known.Msg), Text: nextStep(known)}
	}
	c.render(w, r, status, "parked.html", p)
}

// address is the desk's with its filter, from the row after a place on.
func (p parkedListPage) address(after *alert.LinkID) string {
	q := url.Values{}
	for name, value := range map[string]string{"connector": p.Of, "q": p.Text} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if after != nil {
		q.Set("after", linkText(*after))
	}
	if len(q) == 0 {
		return "/parked"
	}
	return "/parked?" + q.Encode()
}

// GiveAllUp is the address that asks about all that the filter finds.
func (p parkedListPage) GiveAllUp() string {
	return strings.Replace(p.address(nil), "/parked", "/parked/give-up", 1)
}

// Here is the address of the desk as it is filtered, for the way back.
func (p parkedListPage) Here() string { return p.address(nil) }

// linkText names a link in an address or a form; parseLink reads it.
func linkText(l alert.LinkID) string {
	return l.Alert.String() + "." + string(l.Side) + "." + base64.RawURLEncoding.EncodeToString([]byte(l.Connector))
}

func parseLink(text string) (alert.LinkID, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return alert.LinkID{}, false
	}
	id, err := uuid.Parse(parts[0])
	connector, wrong := base64.RawURLEncoding.DecodeString(parts[2])
	return alert.LinkID{Alert: id, Side: alert.Side(parts[1]), Connector: string(connector)}, err == nil && wrong == nil
}

// tickText names a link as it is in a form; parseTick reads it. tag is "" where
// the text does not say how the link was.
func tickText(l alert.Link) string { return linkText(l.LinkID) + "~" + l.Tag() }

func parseTick(text string) (id alert.LinkID, tag string, ok bool) {
	name, tag, _ := strings.Cut(text, "~")
	id, ok = parseLink(name)
	return id, tag, ok
}

// deskRequest reads which links a form of the desk is about: those that are ticked,
// each as it was seen, or all that a filter finds.
func deskRequest(r *http.Request) (alerts.DeskRequest, error) {
	if err := r.ParseForm(); err != nil {
		return alerts.DeskRequest{}, fault.Wrap(fault.Invalid, err, "the form cannot be read")
	}
	d := alerts.DeskRequest{Connector: r.PostForm.Get("connector"), Text: r.PostForm.Get("q"), Who: who(r)}
	if r.PostForm.Get("all") != "" {
		d.All, d.SeenAll = true, r.PostForm.Get("seen")
		return d, nil
	}
	chosen := r.PostForm["link"]
	if one := r.PostForm.Get("one"); one != "" { // the button of a row, whatever is ticked
		chosen = []string{one}
	}
	d.Seen = make(map[alert.LinkID]string, len(chosen))
	for _, text := range chosen {
		id, tag, ok := parseTick(text)
		if !ok {
			return d, fault.New(fault.Invalid, "the form names a link that cannot be read")
		}
		if tag == "" {
			return d, notDecidedOn()
		}
		d.Links = append(d.Links, id)
		d.Seen[id] = tag
	}
	if len(d.Links) == 0 {
		return d, fault.New(fault.Invalid, "no link is ticked").WithNext("Tick the links it is for.")
	}
	return d, nil
}

// retryParked demands what was seen of links that are ticked, and nothing of all
// that a filter finds: what was parked since is only sent again, and what is refused
// again comes back.
func (c *Console) retryParked(w http.ResponseWriter, r *http.Request) {
	d, err := deskRequest(r)
	if err != nil {
		c.parkedAgain(w, r, err)
		return
	}
	n, err := c.Services.Alerts.RetryParked(r.Context(), d)
	if err != nil {
		c.parkedAgain(w, r, err)
		return
	}
	access.Remark(r.Context(), "%d links", n)
	if n == 0 {
		c.done(w, r, parkedBack(r), Notice{What: "Nothing to retry.", Text: "None of them is parked any more."})
		return
	}
	c.done(w, r, parkedBack(r), Notice{Kind: "ok", What: plural(n, "link is", "links are") + " due now, to be sent again in turn.",
		Text: "What is refused again comes back here."})
}

// parkedBack is the desk as it was filtered when the form was sent.
func parkedBack(r *http.Request) string {
	return parkedListPage{Of: r.PostFormValue("connector"), Text: r.PostFormValue("q")}.Here()
}
