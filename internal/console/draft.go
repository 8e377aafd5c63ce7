package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
	Try       int                 // on so many alerts; 0 = not asked for
	Run       *documents.DryRun
	Differing []trialRow
	Alike     int // alerts that both versions treat alike
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

// trialRow is one alert of a dry run with what its ticket would say.
type trialRow struct {
	documents.Trial
	Verdict string // "begins", "ends", "changes", "fails"
	Values  []trialValue
}

// trialValue is one part of a ticket, before and after.
type trialValue struct {
	Name, Live, Draft string
	Differs           bool
}

// TryChoices are the numbers of alerts that a dry run can be asked for.
func (draftPage) TryChoices() []int {
	return []int{documents.DryRunSize, 100, 200, documents.DryRunMost}
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
		page(path+"/draft", c.draft),
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
	p.Live = p.State.Live.Version > 0
	c.showDraft(w, r, http.StatusOK, draftPage{documentPage: p, Try: atoi(r.URL.Query().Get("try"))})
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
	if data.Try > 0 && len(state.Problems) == 0 {
		run, err := s.DryRun(r.Context(), state, data.Try)
		if err != nil {
			return err
		}
		data.Run = &run
		data.Differing, data.Alike = trialRows(run)
	}
	return nil
}

// trialRows are the alerts that the draft treats otherwise, and how many it does not.
func trialRows(run documents.DryRun) (rows []trialRow, alike int) {
	for _, t := range run.Trials {
		row := trialRow{Trial: t}
		switch {
		case t.Draft.Problem != "" && len(t.Differs) > 0:
			row.Verdict = "fails"
		case t.Draft.Matches && !t.Live.Matches:
			row.Verdict = "begins"
		case t.Live.Matches && !t.Draft.Matches:
			row.Verdict = "ends"
		case len(t.Differs) > 0:
			row.Verdict = "changes"
		default:
			alike++
			continue
		}
		row.Values = trialValues(t)
		rows = append(rows, row)
	}
	return rows, alike
}

func trialValues(t documents.Trial) []trialValue {
	before, after := ticketOf(t.Live), ticketOf(t.Draft)
	var values []trialValue
	add := func(name, live, draft string) {
		values = append(values, trialValue{name, live, draft, live != draft})
	}
	add("subject", before.Subject, after.Subject)
	add("severity", before.Severity, after.Severity)
	add("state", before.State, after.State)
	var names []string
	for _, fields := range []map[string]string{before.Fields, after.Fields} {
		for name := range fields {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		add(name, before.Fields[name], after.Fields[name])
	}
	add("body", before.Body, after.Body)
	return values
}

func ticketOf(f documents.Fate) documents.Ticket {
	if f.Ticket == nil {
		return documents.Ticket{}
	}
	return *f.Ticket
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
	c.showDraft(w, r, f.Kind.Status(), draftPage{documentPage: p, Comment: r.PostFormValue("comment"), Refused: f.Problems})
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
	data := conflictPage{
		Page: c.page(w, r, "Two changes at once", "connectors"), Conflict: conflict, URL: connectorURL(conflict.Connector),
		MineLines:  edit.Lines(conflict.Base.Text, conflict.Mine.Text),
		TheirLines: edit.Lines(conflict.Base.Text, conflict.Theirs.Text),
	}
	data.Path = data.URL + "/draft"
	data.Connector = frame(conflict.Connector, "", "", "draft")
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
