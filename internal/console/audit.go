package console

import (
	"net/http"
	"net/url"
	"strconv"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

// auditPage lists changes and refusals, the newest first.
type auditPage struct {
	Page
	problems
	Filter  access.Query
	Entries []access.Entry
	First   string // address of the newest entries; "" = this is it
	Older   string // address of the next page; "" = there is none
}

const (
	auditPath = "/settings/audit"
	auditRows = 50 // entries on a page
)

func (c *Console) auditRoutes() []guard.Route {
	return []guard.Route{{Pattern: "GET " + auditPath, Needs: access.Administer, Handler: c.checked(c.audit, entryParameter)}}
}

func (c *Console) audit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	before, _ := strconv.ParseInt(q.Get("before"), 10, 64)
	p := auditPage{Filter: access.Query{
		Who: q.Get("who"), Outcome: access.Outcome(q.Get("outcome")), Text: q.Get("text"), Before: before, Limit: auditRows + 1,
	}}
	status := http.StatusOK
	var err error
	p.Entries, err = c.Services.Access.Audit(r.Context(), p.Filter)
	switch {
	case fault.KindOf(err) == fault.Invalid && err != nil:
		status, p.problems = http.StatusBadRequest, problemsOf(err, "outcome")
	case err != nil:
		c.fail(w, r, err)
		return
	}
	if len(p.Entries) > auditRows {
		p.Entries = p.Entries[:auditRows]
		p.Older = auditURL(p.Filter, p.Entries[auditRows-1].ID)
	}
	if before > 0 {
		p.First = auditURL(p.Filter, 0)
	}
	p.Page = c.page(w, r, "Audit", "audit")
	c.render(w, r, status, "audit.html", p)
}

func auditURL(f access.Query, before int64) string {
	q := url.Values{}
	for key, value := range map[string]string{"who": f.Who, "outcome": string(f.Outcome), "text": f.Text} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	if len(q) == 0 {
		return auditPath
	}
	return auditPath + "?" + q.Encode()
}

// Filtered reports whether the page shows a part of the audit only.
func (p auditPage) Filtered() bool {
	return p.Filter.Who != "" || p.Filter.Outcome != "" || p.Filter.Text != ""
}

// Outcomes are those one can filter by.
func (auditPage) Outcomes() []access.Outcome { return access.Outcomes() }

// Way says how somebody proved who they are.
func (auditPage) Way(via string) string {
	switch via {
	case access.ViaSession:
		return "by password"
	case access.ViaOIDC:
		return "by OpenID"
	case access.ViaToken:
		return "by API token"
	case access.ViaCLI:
		return "at the command line"
	}
	return ""
}
