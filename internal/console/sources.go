package console

import (
	"cmp"
	"net/http"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// sourcesPage is the tab of the sources and the subscription.
type sourcesPage struct {
	documentPage
	Sources      []sourceRow
	Count        documents.Count
	Kinds        []string
	Token        *documents.SourceToken // made just now; shown this once
	Subscription field
}

type sourceRow struct {
	documents.SourceState
	Index    int
	Path     string // "sources[0]"
	Settings field
}

func (c *Console) sourcesTab(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "sources")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.showSources(w, r, p, nil)
}

func (c *Console) showSources(w http.ResponseWriter, r *http.Request, p documentPage, token *documents.SourceToken) {
	data := sourcesPage{documentPage: p, Token: token}
	_, data.Kinds = c.Services.Documents.Kinds()
	sources, err := c.Services.Documents.Sources(r.Context(), p.State)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	for i, s := range sources {
		path := edit.At("sources").Item(i)
		settings := path.Key("settings").String()
		data.Sources = append(data.Sources, sourceRow{
			SourceState: s, Index: i, Path: path.String(),
			Settings: field{ID: fieldID(settings), Name: formBlock + settings, Path: settings, Value: p.block(settings), Problems: p.Problems(settings)},
		})
	}
	data.Subscription = p.F("subscription", "Subscription", "")
	data.Count, err = c.Services.Documents.Subscription(r.Context(), p.State, data.Subscription.Value)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, p.status(), "sources.html", data)
}

// Reference is the source's token reference as the form shows it.
func (p sourcesPage) Reference(s sourceRow) string {
	ref, _ := p.shown.value(s.Path + ".token")
	return ref
}

// SourceKinds is the choice of a source's kind.
func (p sourcesPage) SourceKinds(s sourceRow) field {
	var values []string
	for _, kind := range p.Kinds {
		values = append(values, kind+"="+sourceName(kind))
	}
	return p.Choice(s.Path+".kind", "Kind", "", values...)
}

// Labelled is the field of the source's settings.
func (s sourceRow) Labelled() field {
	f := s.Settings
	f.Label, f.Hint = "Settings as YAML", "receiver: Alertmanager's name for us, so that the comparison finds what was not pushed; silence: how long an acknowledged alert is silenced"
	return f
}

// receiver is Alertmanager's name for the servers.
func (s sourceRow) receiver() string {
	return cmp.Or(s.SourceState.Source.Settings["receiver"], "tieline")
}

// Alertmanager is a whole configuration that sends every alert to every server:
// one of them that is down keeps none from the others, and what two take in is
// one alert.
func (p sourcesPage) Alertmanager(s sourceRow) string {
	text := "route:\n  receiver: " + s.receiver() + "\n  group_by: [alertname]\n  group_wait: 1s\n  group_interval: 5s\n  repeat_interval: 1h\n"
	text += "receivers:\n  - name: " + s.receiver() + "\n    webhook_configs:\n"
	for _, address := range s.addresses() {
		text += "      - url: " + address + "\n        send_resolved: true\n"
		if p.Asks(s) {
			text += "        http_config:\n          authorization:\n            credentials_file: " + s.TokenFile() + "\n"
		}
	}
	return text
}

// Route is what a configuration that has other receivers needs besides.
func (s sourceRow) Route() string {
	return "    - receiver: " + s.receiver() + "\n      continue: true\n"
}

// TokenFile is where Alertmanager finds the token by that configuration.
func (s sourceRow) TokenFile() string { return "/etc/alertmanager/tieline-" + s.Name + ".token" }

// Curl opens and closes an alert of the source.
func (p sourcesPage) Curl(s sourceRow) string {
	command := "curl " + s.addresses()[0] + " \\\n"
	if p.Asks(s) {
		command += "  -H \"Authorization: Bearer $" + documents.TokenName(s.Name) + "\" \\\n"
	}
	return command + `  -d '{"key": "disk-db3", "severity": "critical", "summary": "/var on db3 is 96 % full"}'` + "\n" +
		command + `  -d '{"key": "disk-db3", "status": "closed"}'`
}

// Asks reports whether the source must present a token.
func (p sourcesPage) Asks(s sourceRow) bool { return p.Reference(s) != "" }

// addresses are where senders post to; a stand-in while no server has joined.
func (s sourceRow) addresses() []string {
	if len(s.Addresses) == 0 {
		return []string{"http://SERVER:8642/v1/sources/" + s.Name}
	}
	return s.Addresses
}

// makeToken makes a token for a source and refers to it in the draft. The token
// itself is shown on this page and kept nowhere.
func (c *Console) makeToken(w http.ResponseWriter, r *http.Request) {
	back := connectorURL(r.PathValue("connector")) + "/sources"
	state, _, err := c.saveForm(r)
	switch {
	case err != nil && c.typedAgain(w, r, "sources", err):
		return
	case err != nil:
		c.notSaved(w, r, back, err)
		return
	}
	i := atoi(r.PostFormValue("source"))
	if state.Doc == nil || i < 0 || i >= len(state.Doc.Sources) {
		c.undone(w, r, back, fault.New(fault.NotFound, "there is no such source").WithNext("Load the page again; the list may have changed."))
		return
	}
	token, state, err := c.Services.Documents.MakeToken(r.Context(), who(r), state, i)
	if err != nil {
		c.notSaved(w, r, back, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	c.showSources(w, r, c.documentOf(w, r, state, "sources"), &token)
}
