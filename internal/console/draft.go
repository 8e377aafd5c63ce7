package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
)

// draftPage checks, tries and applies a connector's draft, and takes its text.
type draftPage struct {
	documentPage
	Conflict  *documents.Conflict // with the current version; nil = none
	Try       tryAsked
	Run       *tryPanel // nil = not asked for
	Running   runningPanel
	Discarded *documents.Side // what can be taken up again
	Comment   string
	Refused   []fault.Problem // why it was not applied
}

// runningPanel says which servers run which version. It keeps itself up to date.
type runningPanel struct {
	Page
	Version int64 // the current one
	Servers []documents.Running
}

// draftLive keeps what the servers run up to date, from the state that all
// watchers share.
func (c *Console) draftLive() []liveRoute {
	return []liveRoute{{"GET /connectors/{connector}/draft", func(r *http.Request) livePage {
		name := r.PathValue("connector")
		return livePage{template: "draft.html", panels: []string{"running"}, data: func(s overview.State) (any, error) {
			k, ok := s.Snapshot.Connector(name)
			if !ok {
				return nil, overview.NoConnector(name)
			}
			panel := runningPanel{Page: c.livePanel(r, s.Snapshot.At), Version: k.Settings.Version}
			for _, m := range k.Members {
				panel.Servers = append(panel.Servers, documents.Running{
					Server: m.Server, Version: m.Runs, Current: m.Runs == k.Settings.Version, Reason: m.Reason,
				})
			}
			return panel, nil
		}}
	}}}
}

// Lines compares two texts of a conflict.
func (draftPage) Lines(old, next string) []edit.Line { return edit.Lines(old, next) }

// ProblemURL is where the field of a problem is: its tab, or the text.
func (p draftPage) ProblemURL(path string) string {
	for tab, parts := range tabPaths {
		if p.Readable() && within(path, parts) {
			return p.URL + "/" + tab + "#" + fieldID(path)
		}
	}
	return "#text"
}

func (c *Console) draftRoutes() []guard.Route {
	const path = "/connectors/{connector}"
	return []guard.Route{
		patient(page(path+"/draft", c.unlessMoved("draft", c.checked(c.draft, tryParameter, fromParameter, verdictParameter)))), // it may show a dry run
		form(path+"/draft", access.Operate, "edit draft", c.saveText),
		form(path+"/draft/apply", access.Operate, "apply draft", c.applyDraft),
		form(path+"/draft/discard", access.Operate, "discard draft", c.discardDraft),
		form(path+"/draft/take-up", access.Operate, "take up draft", c.takeUpDraft),
		form(path+"/draft/resolve", access.Operate, "resolve conflict", c.resolveDraft),
		page("/new-connector", c.newConnector),
		form("/new-connector", access.Operate, "create connector", c.createConnector),
	}
}

func (c *Console) draft(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "draft")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.showDraft(w, r, http.StatusOK, draftPage{documentPage: p, Try: tryAskedOf(r.URL.Query())})
}

// showDraft fills in what the page shows besides.
func (c *Console) showDraft(w http.ResponseWriter, r *http.Request, status int, data draftPage) {
	data.Title = "Draft"
	if err := c.fillDraft(r, &data); err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, "draft.html", data)
}

func (c *Console) fillDraft(r *http.Request, data *draftPage) (err error) {
	s, state := c.Services.Documents, data.State
	if data.Conflict, err = s.Conflict(r.Context(), state); err != nil {
		return err
	}
	data.Running = runningPanel{Page: data.Page, Version: state.Live.Version}
	if data.Running.Servers, err = s.Running(r.Context(), state.Connector, state.Live.Version); err != nil {
		return err
	}
	if state.Draft == nil {
		d, ok, err := s.Discarded(r.Context(), state.Connector)
		if ok {
			data.Discarded = &documents.Side{What: fmt.Sprintf("revision %d", d.Revision), Who: d.Author, At: d.At, Text: d.Text}
		}
		return err
	}
	if data.Try.Alerts > 0 && len(state.Problems) == 0 {
		run, err := s.DryRun(r.Context(), state, data.Try.Alerts)
		if err != nil {
			return err
		}
		data.Run = tryPanelOf(run, data.Try, data.URL+"/draft")
	}
	return nil
}

// saveText saves the text of the editor as the next revision.
func (c *Console) saveText(w http.ResponseWriter, r *http.Request) {
	back := draftURL(r)
	seen, err := seenOf(r)
	if err != nil {
		c.undone(w, r, back, err)
		return
	}
	before := seen.Revision
	state, err := c.Services.Documents.Save(r.Context(), who(r), r.PathValue("connector"), seen, newlines(r.PostFormValue("text")))
	switch {
	case err != nil:
		c.notSaved(w, r, back, err)
	case state.Draft == nil || state.Draft.Revision == before:
		c.done(w, r, back, Notice{What: "Nothing was changed."})
	default:
		c.done(w, r, back, savedNotice(state))
	}
}

// applyDraft makes the draft the current version. What hinders it is shown on
// the draft's page, with the comment as it was typed.
func (c *Console) applyDraft(w http.ResponseWriter, r *http.Request) {
	name, back := r.PathValue("connector"), draftURL(r)
	seen, err := seenOf(r)
	if err != nil {
		c.undone(w, r, back, err)
		return
	}
	principal, _ := access.From(r.Context())
	saved, err := c.Services.Documents.Apply(r.Context(), principal, name, seen.Revision, r.PostFormValue("comment"))
	if err == nil {
		access.Remark(r.Context(), "version %d of connector %s", saved.Version, name)
		c.done(w, r, back, Notice{
			Kind: "ok", What: fmt.Sprintf("Version %d is the current one.", saved.Version),
			Text: "Every server takes it up within moments, without a restart; below is which one runs it.",
		})
		return
	}
	f, known := asFault(err)
	if !known {
		c.fail(w, r, err)
		return
	}
	c.notApplied(w, r, f)
}

func (c *Console) notApplied(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	p, err := c.document(w, r, "draft")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p.Path = draftURL(r)
	p.Notice = &Notice{Kind: "red", What: capital(f.Msg) + ".", Text: nextStep(f)}
	c.showDraft(w, r, f.Kind.Status(), draftPage{documentPage: p, Comment: r.PostFormValue("comment"), Refused: placed(f.Problems, true)})
}

func (c *Console) discardDraft(w http.ResponseWriter, r *http.Request) {
	name, back := r.PathValue("connector"), draftURL(r)
	seen, err := seenOf(r)
	if err == nil {
		err = c.Services.Documents.Discard(r.Context(), who(r), name, seen.Revision)
	}
	if err != nil {
		c.undone(w, r, back, err)
		return
	}
	if seen.Version == 0 {
		back = "/" // the connector never was
	}
	c.done(w, r, back, Notice{What: "The draft was discarded.", Text: "It can be taken up again until another one begins."})
}

func (c *Console) takeUpDraft(w http.ResponseWriter, r *http.Request) {
	back := draftURL(r)
	if _, err := c.Services.Documents.TakeUp(r.Context(), who(r), r.PathValue("connector")); err != nil {
		c.undone(w, r, back, err)
		return
	}
	c.done(w, r, back, Notice{Kind: "ok", What: "The draft is back."})
}

// conflictPage shows two changes that were made at once, and the ways out.
type conflictPage struct {
	Page
	Conflict              *documents.Conflict
	URL                   string
	MineLines, TheirLines []edit.Line // what each side changed
}

func (c *Console) showConflict(w http.ResponseWriter, r *http.Request, conflict *documents.Conflict) {
	state, err := c.Services.Documents.Open(r.Context(), conflict.Connector)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	frame := c.documentOf(w, r, state, "draft").Page
	frame.Title, frame.Live = "Two changes at once", false
	data := conflictPage{
		Page: frame, Conflict: conflict, URL: connectorURL(conflict.Connector),
		MineLines:  edit.Lines(conflict.Base.Text, conflict.Mine.Text),
		TheirLines: edit.Lines(conflict.Base.Text, conflict.Theirs.Text),
	}
	data.Path = data.URL + "/draft"
	c.render(w, r, http.StatusConflict, "conflict.html", data)
}

// resolveDraft saves what was decided: the merged text as it stands in the form,
// mine, or theirs.
func (c *Console) resolveDraft(w http.ResponseWriter, r *http.Request) {
	name, back := r.PathValue("connector"), draftURL(r)
	seen, err := seenOf(r)
	if err != nil {
		c.undone(w, r, back, err)
		return
	}
	text := newlines(r.PostFormValue(cmp.Or(r.PostFormValue("choice"), "text")))
	state, err := c.Services.Documents.Resolve(r.Context(), who(r), name, seen, text)
	if err != nil {
		c.notSaved(w, r, back, err)
		return
	}
	c.done(w, r, back, savedNotice(state))
}

func draftURL(r *http.Request) string { return connectorURL(r.PathValue("connector")) + "/draft" }

// newlines undoes what browsers do to the line breaks of a form.
func newlines(text string) string {
	b := make([]byte, 0, len(text))
	for i := range len(text) {
		if text[i] != '\r' || i+1 == len(text) || text[i+1] != '\n' {
			b = append(b, text[i])
		}
	}
	return string(b)
}

// atoi is 0 for what is no number.
func atoi(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// asFault is the fault that an error is for people; false for one that they are
// told nothing of, and for an absent database, which has a page of its own.
func asFault(err error) (*fault.Error, bool) {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind == fault.Internal || f.Kind == fault.Unavailable {
		return nil, false
	}
	return f, true
}
