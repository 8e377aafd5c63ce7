package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/ha"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
)

// historyPage is a history: of one connector, with its strip and the documents'
// differences, or of all.
type historyPage struct {
	Page
	Strip   strip
	Window  string
	Windows []window
	Lines   []historyLine
	Current int64  // the document's current version
	Older   string // address of the next page
	Newest  string // address of the first, on any other
}

// historyLine is one change, in words.
type historyLine struct {
	availability.Line
	What    string
	Comment string
	Shape   ha.State // "" = none
	Mark    string
}

// Key tells a line from every other.
func (l historyLine) Key() string {
	if l.Document != nil {
		return fmt.Sprintf("document-%s-%d", l.Document.Connector, l.Document.Version)
	}
	return fmt.Sprintf("event-%d", l.Event.ID)
}

// historyRows is how many changes a page shows.
const historyRows = 30

func (c *Console) historyRoutes() []guard.Route {
	return []guard.Route{
		page("/history", c.checked(c.history, eventParameter)),
		page("/connectors/{connector}/history", c.checked(c.connectorHistory, windowParameter, eventParameter)),
		asks("/connectors/{connector}/history/roll-back", access.Operate, c.askRollBack),
		form("/connectors/{connector}/history/roll-back", access.Operate, "roll back", c.rollBack),
	}
}

func (c *Console) historyLive() []liveRoute {
	return []liveRoute{{"GET /connectors/{connector}/history", func(r *http.Request) livePage {
		name, w := r.PathValue("connector"), windowOf(r)
		var picture stripCache
		return livePage{template: "history.html", panels: []string{"strip"}, data: func(s overview.State) (any, error) {
			k, ok := s.Snapshot.Connector(name)
			if !ok {
				return nil, overview.NoConnector(name)
			}
			drawn, err := picture.get(r.Context(), c, k, s.Snapshot.At, w)
			return historyPage{Page: c.livePanel(r, s.Snapshot.At), Strip: drawn, Window: w.Key, Windows: windows}, err
		}}
	}}}
}

func (c *Console) history(w http.ResponseWriter, r *http.Request) {
	data := historyPage{Page: c.page(w, r, "History", "history")}
	data.Live = true
	if err := c.fillLog(r, &data, ""); err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "history.html", data)
}

func (c *Console) connectorHistory(w http.ResponseWriter, r *http.Request) {
	k, snapshot, err := c.Services.Overview.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	in := windowOf(r)
	data := historyPage{Page: c.connectorPage(w, r, k, snapshot, "history"), Current: k.Settings.Version, Window: in.Key, Windows: windows}
	data.Live = true
	if data.Strip, err = c.strip(r.Context(), k, snapshot.At, in); err == nil {
		err = c.fillLog(r, &data, k.Name)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "history.html", data)
}

// fillLog reads the page of the log that the address asks for.
func (c *Console) fillLog(r *http.Request, data *historyPage, connector string) error {
	q := r.URL.Query()
	var before time.Time
	if micros, err := strconv.ParseInt(q.Get("before"), 10, 64); err == nil && micros > 0 {
		before = time.UnixMicro(micros)
	}
	log, err := c.Services.Availability.Log(r.Context(), connector, before, historyRows)
	if err != nil {
		return err
	}
	address := func(before string) string {
		next := url.Values{}
		if q.Get("window") != "" {
			next.Set("window", q.Get("window"))
		}
		if before != "" {
			next.Set("before", before)
		}
		return "?" + next.Encode()
	}
	if !log.Older.IsZero() {
		data.Older = address(strconv.FormatInt(log.Older.UnixMicro(), 10))
	}
	if !before.IsZero() {
		data.Newest = address("")
	}
	for _, l := range log.Lines {
		data.Lines = append(data.Lines, lineOf(l))
	}
	return nil
}

// lineOf puts a change into words.
func lineOf(l availability.Line) historyLine {
	line := historyLine{Line: l}
	if d := l.Document; d != nil {
		line.What, line.Comment = fmt.Sprintf("Document version %d was applied", d.Version), d.Comment
		return line
	}
	line.What, line.Shape, line.Mark = eventWords(*l.Event)
	return line
}

// eventWords says what happened, with the shape of the state that came of it.
func eventWords(e availability.Event) (what string, shape ha.State, mark string) {
	switch {
	case e.Reason == "joined":
		return e.To + " joined the communication order", "", ""
	case e.Reason == "removed":
		return e.From + " left the communication order", "", ""
	case e.Reason == "moved up" || e.Reason == "moved down":
		return fmt.Sprintf("%s was %s in the communication order", e.To, e.Reason), "", ""
	case e.Reason == "make active":
		return e.To + " was asked to be Active", "", ""
	case e.Reason == availability.WishWithdrawn:
		return e.To + " went Offline before it was Active: what was asked for is withdrawn", "", "attention"
	case e.To == "" && e.Reason == string(ha.ReasonIdentity):
		return "The database's history changed: nobody is Active, and every link is looked at again", ha.Offline, "attention"
	case e.To == "":
		return fmt.Sprintf("%s let go: %s", e.From, releaseWords(ha.Reason(e.Reason))), ha.Passive, ""
	}
	what = fmt.Sprintf("%s became Active, epoch %d: %s", e.To, e.Epoch, takeWords(e))
	if r := ha.Reason(e.Reason); r == ha.ReasonPresence || r == ha.ReasonSilence || r == ha.ReasonRestart {
		mark = "attention"
	}
	return what, ha.Active, mark
}

func releaseWords(r ha.Reason) string {
	switch r {
	case ha.ReasonStop:
		return "it was stopped"
	case ha.ReasonWish:
		return "an operator asked for it"
	case ha.ReasonFailback:
		return "failback to a server before it"
	case ha.ReasonRemote:
		return "it could not reach the remote system, and another can"
	case ha.ReasonIneligible:
		return "it cannot run the current document"
	case ha.ReasonFailed:
		return "its work failed"
	default:
		return string(r)
	}
}

func takeWords(e availability.Event) string {
	from := e.From
	if from == "" {
		from = "the Active before"
	}
	switch ha.Reason(e.Reason) {
	case ha.ReasonFirst:
		return "nobody was before"
	case ha.ReasonReleased:
		return "as planned"
	case ha.ReasonPresence:
		return from + "'s process died"
	case ha.ReasonSilence:
		return from + " was not heard for its promised time"
	case ha.ReasonRestart:
		return "its own process had restarted"
	case ha.ReasonTakeBack:
		return "nobody followed its release"
	default:
		return e.Reason
	}
}

// rollBackPage asks before an earlier version is applied again.
type rollBackPage struct {
	Page
	Name    string
	To      documents.Version
	Current documents.Version
	Changes []edit.Change
	Lines   []edit.Line
}

// askRollBack shows what going back to a version would change.
func (c *Console) askRollBack(w http.ResponseWriter, r *http.Request) {
	k, snapshot, err := c.Services.Overview.Connector(r.Context(), r.PathValue("connector"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	data := rollBackPage{Page: c.connectorPage(w, r, k, snapshot, "history"), Name: k.Name}
	if err := c.readRollBack(r.Context(), &data, r.URL.Query().Get("to")); err != nil {
		c.undone(w, r, connectorURL(k.Name)+"/history", err)
		return
	}
	c.render(w, r, http.StatusOK, "roll-back.html", data)
}

func (c *Console) readRollBack(ctx context.Context, data *rollBackPage, to string) error {
	version, err := strconv.ParseInt(to, 10, 64)
	if err != nil || version < 1 {
		return noVersion(data.Name, to)
	}
	if data.To, err = c.Services.Documents.Version(ctx, data.Name, version); err != nil {
		return err
	}
	if data.Current, err = c.Services.Documents.Version(ctx, data.Name, 0); err != nil {
		return err
	}
	data.Lines = edit.Lines(data.Current.Text, data.To.Text)
	data.Changes, err = edit.Changes(data.Current.Text, data.To.Text)
	return err
}

func noVersion(name, version string) error {
	return fault.New(fault.NotFound, fmt.Sprintf("connector %s has no document version %q", name, version)).
		WithNext("The history lists the versions.")
}

// rollBack applies an earlier version again, as a new one.
func (c *Console) rollBack(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("connector")
	back := connectorURL(name) + "/history"
	to, err1 := strconv.ParseInt(r.PostFormValue("to"), 10, 64)
	current, err2 := strconv.ParseInt(r.PostFormValue("current"), 10, 64)
	if err1 != nil || err2 != nil {
		c.undone(w, r, back, noVersion(name, r.PostFormValue("to")))
		return
	}
	principal, _ := access.From(r.Context())
	saved, err := c.Services.Documents.Rollback(r.Context(), principal, name, to, current)
	if err != nil {
		c.undone(w, r, back, err)
		return
	}
	access.Remark(r.Context(), "to version %d, as version %d", to, saved.Version)
	c.done(w, r, back, Notice{
		Kind: "ok", What: fmt.Sprintf("Version %d is applied again, as version %d", to, saved.Version),
		Text: "The servers take it up within moments, without a restart.",
	})
}
