package console

import (
	"net/http"

	"tieline/internal/access"
	"tieline/internal/connector/edit"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// remotePage is the tab of the remote system's servers.
type remotePage struct {
	documentPage
	Endpoints []field
	Settings  field
	Known     []string // what the settings of this kind may be
	Probe     *documents.Probe
	ProbeErr  *fault.Error // why nobody was asked
}

// knownSettings are the settings of each kind, for the hint beside them.
var knownSettings = map[string][]string{
	"rt":      {"queue", "requestor", "key_field", "severity_field", "body_field", "also_watch", "ended", "web_url", "ca_file", "settle"},
	"files":   {"directory", "outbox", "inbox", "done", "rejected", "format", "max_bytes", "patience", "ended"},
	"webhook": {"auth", "auth_header", "headers", "secret_headers", "key_header", "idempotent", "key_life", "settle", "ended", "ca_file", "create", "update", "probe", "note", "lookup"},
}

func (c *Console) remoteTab(w http.ResponseWriter, r *http.Request) {
	p, err := c.document(w, r, "remote")
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, http.StatusOK, "remote.html", remotePageOf(p))
}

func remotePageOf(p documentPage) remotePage {
	data := remotePage{documentPage: p, Known: knownSettings[p.Kind()]}
	if p.shown.text != nil {
		for i := range p.shown.text.Len(edit.At("remote", "endpoints")) {
			data.Endpoints = append(data.Endpoints, p.F(edit.At("remote", "endpoints").Item(i).String(), "", ""))
		}
	}
	data.Settings = field{
		ID: "f-remote-settings", Name: formBlock + "remote.settings", Path: "remote.settings",
		Value: p.block("remote.settings"), Problems: p.Problems("remote.settings"),
	}
	return data
}

// testRemote asks an endpoint as the form has it: what was changed in it is kept
// in the draft first.
func (c *Console) testRemote(w http.ResponseWriter, r *http.Request) {
	back := connectorURL(r.PathValue("connector")) + "/remote"
	state, _, err := c.saveForm(r)
	switch {
	case err != nil && c.typedAgain(w, r, "remote", err):
		return
	case err != nil:
		c.notSaved(w, r, back, err)
		return
	}
	data := remotePageOf(c.documentOf(w, r, state, "remote"))
	principal, _ := access.From(r.Context())
	probe, err := c.Services.Documents.Probe(r.Context(), principal, state, atoi(r.PostFormValue("endpoint")))
	if err != nil {
		var known bool
		if data.ProbeErr, known = asFault(err); !known {
			c.fail(w, r, err)
			return
		}
	} else {
		data.Probe = &probe
	}
	c.render(w, r, http.StatusOK, "remote.html", data)
}
