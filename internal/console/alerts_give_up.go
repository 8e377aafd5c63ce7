package console

import (
	"errors"
	"net/http"

	"tieline/internal/alert"
	"tieline/internal/service/alerts"
)

// giveUpPage asks for the reason.
type giveUpPage struct {
	Page
	Alert     alert.Alert
	Of        string // the connector
	Seen      string // tag of the link as it was when it was asked for
	Reason    string // as it was typed
	Problem   string // why that could not be done
	Cancelled string // address of the way back
}

func (c *Console) alertGiveUp(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	c.askToGiveUp(w, r, id, giveUpPage{Of: r.FormValue("connector")}, nil)
}

// askToGiveUp asks about the link as it is now, or again with what was typed and
// why that could not be done. A link that became another which cannot be given up
// any more is not asked about again.
func (c *Console) askToGiveUp(w http.ResponseWriter, r *http.Request, id alert.ID, p giveUpPage, wrong error) {
	if err := c.Services.Alerts.Forwards(r.Context(), id, p.Of); err != nil {
		c.fail(w, r, err)
		return
	}
	e, err := c.Services.Alerts.ShowSome(r.Context(), id, 0)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	status := http.StatusOK
	if wrong != nil {
		p.Problem, _, status, _ = formProblem(wrong)
	}
	for _, l := range e.Links {
		if l.Connector != p.Of || l.Side != alert.Remote {
			continue
		}
		if errors.Is(wrong, alerts.ErrChanged) {
			if !alerts.MayGiveUp(l.Link) {
				c.undone(w, r, alertURL(id), wrong)
				return
			}
			p.Seen = "" // whoever asks again has read what it is now
		}
		if p.Seen == "" {
			p.Seen = l.Tag()
		}
	}
	p.Page, p.Alert, p.Cancelled = c.page(w, r, "Give up", "alerts"), e.Alert, alertURL(id)
	c.render(w, r, status, "alert_give_up.html", p)
}

// giveAlertUp demands the tag of what was seen: what is given up is not sent any
// more, so nobody decides on a link that is another by now.
func (c *Console) giveAlertUp(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	p := giveUpPage{Of: r.PostFormValue("connector"), Reason: r.PostFormValue("reason")}
	err := c.Services.Alerts.Forwards(r.Context(), id, p.Of)
	if err == nil {
		p.Seen, err = decidedOn(r)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	link := alert.LinkID{Connector: p.Of, Alert: id, Side: alert.Remote}
	asked := alerts.DeskRequest{Links: []alert.LinkID{link}, Seen: alerts.Saw(link, p.Seen), Who: who(r)}
	_, err = c.Services.Alerts.GiveUp(r.Context(), asked, p.Reason)
	switch _, _, status, ok := formProblem(err); {
	case err == nil:
		c.done(w, r, alertURL(id), Notice{Kind: "ok", What: "Given up", Text: "Nothing about this alert is sent to " + p.Of + ", unless somebody takes it up again."})
	case ok && status == http.StatusUnprocessableEntity, errors.Is(err, alerts.ErrChanged):
		c.askToGiveUp(w, r, id, p, err)
	default:
		c.undone(w, r, alertURL(id), err)
	}
}

// takeAlertUp demands the tag as giving up does: what was given up since for
// another reason stays so.
func (c *Console) takeAlertUp(w http.ResponseWriter, r *http.Request) {
	id, done := c.alertID(w, r)
	if done {
		return
	}
	link := alert.LinkID{Connector: r.PostFormValue("connector"), Alert: id, Side: alert.Remote}
	err := c.Services.Alerts.Forwards(r.Context(), id, link.Connector)
	seen := ""
	if err == nil {
		seen, err = decidedOn(r)
	}
	if err == nil {
		err = c.Services.Alerts.TakeUp(r.Context(), who(r), link, seen)
	}
	if err != nil {
		c.undone(w, r, alertURL(id), err)
		return
	}
	c.done(w, r, alertURL(id), Notice{Kind: "ok", What: "Taken up again: it is sent in turn."})
}

// MayGiveUp reports whether a link is one that can be given up, as far as the
// page knows; the database decides.
func (p alertPage) MayGiveUp(l alerts.Link) bool { return p.MayOperate() && alerts.MayGiveUp(l.Link) }
