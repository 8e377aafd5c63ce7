package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tieline/internal/access"
	"tieline/internal/service/alerts"
)

// allParkedPage asks for the reason to give up all that a filter of the desk finds.
type allParkedPage struct {
	Page
	Of, Text string // of the filter
	Links    int64  // that it finds
	Seen     string // tag of them as they were when it was asked for
	Reason   string // as it was typed
	Problem  string // why that could not be done
	Back     string // address of the way back
}

// allParkedUp asks about all that a filter finds, as it is now.
func (c *Console) allParkedUp(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c.askAllUp(w, r, allParkedPage{Of: strings.TrimSpace(q.Get("connector")), Text: strings.TrimSpace(q.Get("q"))}, nil)
}

// askAllUp asks about all that a filter finds as it is now, or again with what was
// typed and why that could not be done.
func (c *Console) askAllUp(w http.ResponseWriter, r *http.Request, p allParkedPage, wrong error) {
	set, err := c.Services.Alerts.ParkedSet(r.Context(), alerts.ParkedQuery{Connector: p.Of, Text: p.Text})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p.Back = parkedListPage{Of: p.Of, Text: p.Text}.Here()
	if set.Links == 0 {
		c.done(w, r, p.Back, Notice{What: "Nothing to give up.", Text: "None of them is parked any more."})
		return
	}
	status := http.StatusOK
	if wrong != nil {
		p.Problem, _, status, _ = formProblem(wrong)
	}
	p.Page, p.Links, p.Seen = c.page(w, r, "Give up", "parked"), set.Links, set.Tag
	c.render(w, r, status, "parked_give_up.html", p)
}

// giveParkedUp demands what was seen, of all that a filter finds as of links that
// are ticked: what is given up is not sent any more, so nobody gives up what was
// parked since.
func (c *Console) giveParkedUp(w http.ResponseWriter, r *http.Request) {
	d, err := deskRequest(r)
	if err == nil && d.All && d.SeenAll == "" {
		err = notDecidedOn()
	}
	if err != nil {
		c.parkedAgain(w, r, err)
		return
	}
	reason := r.PostFormValue("reason")
	n, err := c.Services.Alerts.GiveUp(r.Context(), d, reason)
	_, _, status, typed := formProblem(err)
	switch {
	case err == nil:
		access.Remark(r.Context(), "%d links", n)
		c.done(w, r, parkedBack(r), c.givenUp(r, d, n))
	case d.All && (errors.Is(err, alerts.ErrChanged) || typed && status == http.StatusUnprocessableEntity):
		c.askAllUp(w, r, allParkedPage{Of: d.Connector, Text: d.Text, Reason: reason}, err)
	case d.All:
		c.undone(w, r, parkedBack(r), err)
	default:
		c.parkedAgain(w, r, err)
	}
}

// givenUp says how many were, and what keeps the others parked.
func (c *Console) givenUp(r *http.Request, d alerts.DeskRequest, n int) Notice {
	left := len(d.Links) - n
	if d.All {
		// Where the desk cannot be read, it says so itself.
		set, _ := c.Services.Alerts.ParkedSet(r.Context(), alerts.ParkedQuery{Connector: d.Connector, Text: d.Text})
		left = int(set.Links)
	}
	if left <= 0 {
		return Notice{Kind: "ok", What: plural(n, "link was", "links were") + " given up."}
	}
	return Notice{Kind: "amber", What: fmt.Sprintf("%s given up, %d not.", plural(n, "link was", "links were"), left),
		Text: "Those that stay have a ticket, or may have one: retry them, so that it is looked for."}
}
