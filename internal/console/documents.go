package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/connector"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// documentPage is what every page about a connector's document shows: the draft
// where there is one, otherwise the current version. Page structs embed it.
type documentPage struct {
	Page
	State     documents.State
	URL       string // of the connector
	Tab       string // path of this tab below it
	Elsewhere []fault.Problem
	Made      documents.Seen // what the page in the browser was made from
	shown     shownText
	typed     url.Values // a form that could not be saved; it stands there as it was sent
}

// Moved reports whether somebody changed the document since the page was made.
func (p documentPage) Moved() bool { return p.Made != p.State.Seen() }

// Mover says who did that.
func (p documentPage) Mover() string {
	switch draft, live := p.State.Draft, p.State.Live; {
	case draft != nil && draft.Revision != p.Made.Revision:
		return fmt.Sprintf("%s saved revision %d of the draft", draft.Author, draft.Revision)
	case live.Version != p.Made.Version:
		return fmt.Sprintf("%s applied version %d", live.Who, live.Version)
	}
	return "The draft was discarded"
}

// tabPaths are the parts of a document that each tab edits: a problem of another
// tab is told as such.
var tabPaths = map[string][]string{
	"remote":   {"remote", "limits"},
	"sources":  {"sources", "subscription"},
	"fields":   {"fields"},
	"severity": {"severity"},
	"states":   {"states", "lifecycle"},
}

func (c *Console) documentRoutes() []guard.Route {
	var all []guard.Route
	for tab, show := range map[string]http.HandlerFunc{
		"remote": c.remoteTab, "sources": c.sourcesTab, "fields": c.fieldsTab, "severity": c.severityTab, "states": c.statesTab,
	} {
		path := "/connectors/{connector}/" + tab
		all = append(all, page(path, c.unlessMoved(tab, show)), form(path, access.Operate, "edit draft", c.saveTab(tab)))
	}
	return append(append(all,
		patient(form("/connectors/{connector}/remote/test", access.Operate, "test remote", c.testRemote)),
		form("/connectors/{connector}/sources/token", access.Operate, "make source token", c.makeToken),
	), c.draftRoutes()...)
}

// unlessMoved answers a page's question whether somebody changed the document
// since it was made ("seen"); everything else is the tab's.
func (c *Console) unlessMoved(tab string, show http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if fragmentOf(r) != "moved" {
			show(w, r)
			return
		}
		p, err := c.document(w, r, tab)
		if err == nil {
			p.Made, err = documents.ParseETag(r.URL.Query().Get("seen"))
		}
		if err != nil {
			c.fail(w, r, err)
			return
		}
		c.render(w, r, http.StatusOK, tab+".html", p)
	}
}

// document returns what a page about a connector's document shows.
func (c *Console) document(w http.ResponseWriter, r *http.Request, tab string) (documentPage, error) {
	name := r.PathValue("connector")
	state, err := c.Services.Documents.Open(r.Context(), name)
	if err != nil {
		return documentPage{}, err
	}
	return c.documentOf(w, r, state, tab), nil
}

func (c *Console) documentOf(w http.ResponseWriter, r *http.Request, state documents.State, tab string) documentPage {
	kind, active := "", ""
	if state.Doc != nil {
		kind = state.Doc.Remote.Kind
	}
	if last, _ := c.Services.Overview.Last(); last != nil {
		if known, ok := last.Connector(state.Connector); ok {
			active = known.Active
		}
	}
	p := documentPage{Page: c.page(w, r, "", "connectors"), State: state, URL: connectorURL(state.Connector), Tab: tab, Made: state.Seen(), shown: show(state)}
	p.Live = true
	p.State.Problems = placed(state.Problems, tab == "draft")
	p.Connector = frame(state.Connector, kind, active, tab)
	if state.Live.Version == 0 { // until it is made there is nothing else to see
		p.Connector.Tabs = slices.DeleteFunc(p.Connector.Tabs, func(t Tab) bool {
			return t.URL == p.URL || strings.HasSuffix(t.URL, "/alerts") || strings.HasSuffix(t.URL, "/history")
		})
	}
	for _, t := range p.Connector.Tabs {
		if t.Current {
			p.Title = t.Name
		}
	}
	for _, problem := range p.State.Problems {
		if paths, ok := tabPaths[tab]; ok && !within(problem.Path, paths) {
			p.Elsewhere = append(p.Elsewhere, problem)
		}
	}
	return p
}

var lineOfText = regexp.MustCompile(`^line (\d+): `)

// placed are problems as a form tells them: at their fields. The line of the text
// is told where the text is.
func placed(problems []fault.Problem, withText bool) []fault.Problem {
	all := slices.Clone(problems)
	for i, p := range all {
		line := lineOfText.FindStringSubmatch(p.Message)
		if line == nil || p.Path == "" {
			continue
		}
		all[i].Message = strings.TrimPrefix(p.Message, line[0])
		if withText {
			all[i].Message += " (line " + line[1] + " of the text)"
		}
	}
	return all
}

func within(path string, parts []string) bool {
	for _, part := range parts {
		if rest, ok := strings.CutPrefix(path, part); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

// Readable reports whether the text can be shown as forms.
func (p documentPage) Readable() bool { return p.shown.text != nil && p.State.Doc != nil }

// Kind is the remote system's.
func (p documentPage) Kind() string {
	if p.State.Doc == nil {
		return ""
	}
	return p.State.Doc.Remote.Kind
}

// Changes lists what differs from the current version.
func (p documentPage) Changes() []edit.Change {
	if p.State.Draft == nil {
		return nil
	}
	changes, _ := edit.Changes(p.State.Live.Text, p.State.Text) // none where one is no YAML: the diff shows it
	return changes
}

// Diff compares with the current version line by line.
func (p documentPage) Diff() []edit.Line { return edit.Lines(p.State.Live.Text, p.State.Text) }

// field is one value of a document in a form.
type field struct {
	ID, Name, Path string
	Label, Hint    string
	Value          string
	Written        bool // it stands in the text; otherwise it is a default
	Problems       []string
	Options        []option
}

type option struct {
	Value, Text string
	Selected    bool
}

// F is a field of the form, for templates: what stands at a path.
func (p documentPage) F(path, label, hint string) field {
	value, written := p.shown.value(path)
	if typed, ok := p.typed[formValue+path]; ok {
		value, written = typed[0], true
	}
	return field{
		ID: fieldID(path), Name: formValue + path, Path: path, Label: label, Hint: hint,
		Value: value, Written: written, Problems: p.Problems(path),
	}
}

// block is a part of the document as YAML in a form.
func (p documentPage) block(path string) string {
	if typed, ok := p.typed[formBlock+path]; ok {
		return typed[0]
	}
	return p.shown.block(path)
}

// status is that of the page.
func (p documentPage) status() int {
	if p.typed != nil {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// Choice is a field that has one of some values; each is "value" or "value=text".
func (p documentPage) Choice(path, label, hint string, values ...string) field {
	f := p.F(path, label, hint)
	known := false
	for _, v := range values {
		value, text, ok := strings.Cut(v, "=")
		if !ok {
			text = value
		}
		known = known || value == f.Value
		f.Options = append(f.Options, option{value, text, value == f.Value})
	}
	if !known {
		f.Options = append(f.Options, option{f.Value, f.Value, true})
	}
	return f
}

// Problems are the messages about a path itself.
func (p documentPage) Problems(path string) []string {
	var all []string
	for _, problem := range p.State.Problems {
		if problem.Path == path {
			all = append(all, problem.Message)
		}
	}
	return all
}

// Below are the problems at paths below one that has no field of its own.
func (p documentPage) Below(path string) []fault.Problem {
	var all []fault.Problem
	for _, problem := range p.State.Problems {
		if within(problem.Path, []string{path}) && problem.Path != path {
			all = append(all, problem)
		}
	}
	return all
}

// fieldID makes an element's id of a path.
func fieldID(path string) string {
	return "f-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, path)
}

// shownText is a document's text as a form shows it.
type shownText struct {
	text, effective *edit.Text // effective: defaults filled in; nil = not readable
}

func show(state documents.State) shownText {
	var s shownText
	s.text, _ = edit.Open(state.Text) // a text that is no YAML is shown as text
	if state.Doc == nil {
		return s
	}
	if full, err := connector.Marshal(state.Doc); err == nil {
		s.effective, _ = edit.Open(string(full))
	}
	return s
}

// value is what stands at a path, or the default that holds there.
func (s shownText) value(path string) (value string, written bool) {
	p, err := edit.ParsePath(path)
	if err != nil {
		return "", false
	}
	if s.text != nil {
		if value, ok := s.text.Scalar(p); ok {
			return value, true
		}
	}
	if s.effective != nil {
		value, _ = s.effective.Scalar(p)
	}
	return cmp.Or(value, zeros[path]), false
}

// zeros are the defaults that a document does not write out.
var zeros = map[string]string{"limits.rate": "0", "lifecycle.skip_closed_unsent": "false"}

// block is what stands at a path as YAML; "" = nothing.
func (s shownText) block(path string) string {
	p, err := edit.ParsePath(path)
	if err != nil || s.text == nil {
		return ""
	}
	return s.text.Block(p)
}
