package console

import (
	"cmp"
	"errors"
	"net/http"
	"strings"

	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// newConnectorPage begins the draft of a new connector.
type newConnectorPage struct {
	Page
	Values          map[string]string // by the names of the form's fields
	Problems        map[string][]string
	Remotes         []option
	Sources         []option
	Drafts          []documents.Draft // of connectors that are not made yet
	WhatIsWrong     string
	WhatIsWrongNext string
}

// newConnectorFields are the form's fields with what stands in them at first.
var newConnectorFields = map[string]string{
	"name": "", "source": "", "source_kind": "alertmanager", "remote_kind": "rt",
	"endpoint": "", "queue": "", "token": "", "directory": "", "text": "",
}

func (c *Console) newConnector(w http.ResponseWriter, r *http.Request) {
	c.showNewConnector(w, r, http.StatusOK, newConnectorPage{Values: newConnectorFields})
}

func (c *Console) showNewConnector(w http.ResponseWriter, r *http.Request, status int, data newConnectorPage) {
	data.Page = c.page(w, r, "New connector", "connectors")
	remotes, sources := c.Services.Documents.Kinds()
	for _, kind := range remotes {
		data.Remotes = append(data.Remotes, option{kind, remoteName(kind), kind == data.Values["remote_kind"]})
	}
	for _, kind := range sources {
		data.Sources = append(data.Sources, option{kind, sourceName(kind), kind == data.Values["source_kind"]})
	}
	drafts, err := c.Services.Documents.Drafts(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	for _, d := range drafts {
		if d.Base == 0 {
			data.Drafts = append(data.Drafts, d)
		}
	}
	c.render(w, r, status, "new-connector.html", data)
}

// sourceName is what people call a kind of source.
func sourceName(kind string) string {
	switch kind {
	case "alertmanager":
		return "Prometheus Alertmanager"
	case "generic":
		return "Anything that posts JSON"
	default:
		return kind
	}
}

func (c *Console) createConnector(w http.ResponseWriter, r *http.Request) {
	values := make(map[string]string)
	for name := range newConnectorFields {
		values[name] = strings.TrimSpace(newlines(r.PostFormValue(name)))
	}
	text := values["text"]
	if text == "" {
		text = firstText(values)
	} else {
		text += "\n"
	}
	state, err := c.Services.Documents.Create(r.Context(), who(r), values["name"], text)
	var f *fault.Error
	switch {
	case err == nil:
		c.done(w, r, connectorURL(state.Connector)+"/draft", Notice{
			Kind: "ok", What: "The draft of connector " + state.Connector + " has begun.",
			Text: "Fill in the tabs, try it on stored alerts, then apply it; the connector is made with that.",
		})
	case errors.As(err, &f) && (f.Kind == fault.Invalid || f.Kind == fault.Conflict):
		data := newConnectorPage{Values: values, Problems: map[string][]string{}, WhatIsWrong: capital(f.Msg) + ".", WhatIsWrongNext: nextStep(f)}
		for _, p := range f.Problems {
			data.Problems[p.Path] = append(data.Problems[p.Path], p.Message)
		}
		c.showNewConnector(w, r, f.Kind.Status(), data)
	default:
		c.fail(w, r, err)
	}
}

// firstText is the document that the form describes, with what is still to be
// filled in left out: the check of the draft says what that is.
func firstText(v map[string]string) string {
	text, err := edit.Open("")
	if err != nil {
		panic(err) // nothing can always be edited
	}
	set := func(value string, keys ...string) {
		if value != "" {
			_ = text.Set(edit.At(keys...), value) // nothing stands in the way of a new document
		}
	}
	set(v["name"], "name")
	_ = text.Append(edit.At("sources"), map[string]string{"name": cmp.Or(v["source"], v["name"]), "kind": v["source_kind"]})
	set(v["remote_kind"], "remote", "kind")
	if v["remote_kind"] == "files" {
		set(v["directory"], "remote", "settings", "directory")
		return text.String()
	}
	if v["endpoint"] != "" {
		_ = text.Append(edit.At("remote", "endpoints"), v["endpoint"])
	}
	set(v["token"], "remote", "token")
	if v["remote_kind"] == "rt" {
		set(v["queue"], "remote", "settings", "queue")
	}
	return text.String()
}
