package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"tieline/internal/access/guard"
	"tieline/internal/service/overview"
)

// overviewPage is the management group at a glance.
type overviewPage struct {
	Page
	Attention  []overview.Attention
	More       int // that many more need a person
	Connectors []overviewRow
	Total      int // connectors in the group
	Found      int // of them, that the filter leaves
	Filter     overviewFilter
	Pager      pager
	Servers    []overview.Server
	AllServers int
	CanRemove  bool // never here: servers are removed on their own page
}

// overviewFilter is what the address asks for.
type overviewFilter struct {
	Text      string // part of a connector's or a server's name
	Attention bool   // only those that need a person
	Page      int    // from 1
}

type overviewRow struct {
	overview.Connector
	Mark string // "urgent", "attention" or ""
	Late bool   // its oldest due alert has waited long
}

// How much one page of the overview shows.
const (
	overviewRows      = 24
	overviewAttention = 8
	overviewServers   = 12
)

func (c *Console) overviewRoutes() []guard.Route {
	return []guard.Route{
		page("/{$}", c.checked(c.overview, showParameter, pageParameter)),
		page("/connectors", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusSeeOther) }),
	}
}

func (c *Console) overviewLive() []liveRoute {
	return []liveRoute{{"GET /{$}", func(r *http.Request) livePage {
		filter := overviewFilterOf(r.URL.Query())
		return livePage{
			template: "overview.html", panels: []string{"attention", "connectors", "servers"},
			data: func(s overview.State) (any, error) {
				return overviewOf(c.livePanel(r, s.Snapshot.At), s.Snapshot, filter), nil
			},
		}
	}}}
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request) {
	snapshot, err := c.Services.Overview.Read(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p := c.page(w, r, "Overview", "connectors")
	p.Live, p.Now = true, snapshot.At
	c.render(w, r, http.StatusOK, "overview.html", overviewOf(p, snapshot, overviewFilterOf(r.URL.Query())))
}

func overviewFilterOf(q url.Values) overviewFilter {
	n, _ := strconv.Atoi(q.Get("page")) // 0 = not asked
	return overviewFilter{Text: strings.TrimSpace(q.Get("q")), Attention: q.Get("show") == "attention", Page: max(n, 1)}
}

// query is the filter as an address has it, for another page of it.
func (f overviewFilter) query(page int) string {
	q := url.Values{}
	if f.Text != "" {
		q.Set("q", f.Text)
	}
	if f.Attention {
		q.Set("show", "attention")
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "?" + q.Encode()
}

// overviewOf selects what the page shows: what needs a person first, then by name.
func overviewOf(p Page, s *overview.Snapshot, f overviewFilter) overviewPage {
	data := overviewPage{Page: p, Attention: s.Attention(), Total: len(s.Connectors), Filter: f, AllServers: len(s.Servers)}
	data.More = max(0, len(data.Attention)-overviewAttention)
	data.Attention = data.Attention[:len(data.Attention)-data.More]
	found := f.find(s)
	data.Found = len(found)
	data.Pager = newPager(len(found), f.Page, overviewRows, f.query)
	for _, c := range found[data.Pager.From:data.Pager.To] {
		data.Connectors = append(data.Connectors, overviewRow{Connector: *c, Mark: markOf(c), Late: c.Work.OldestDue > overview.LateAfter})
	}
	data.Servers = s.Servers[:min(len(s.Servers), overviewServers)]
	return data
}

// find returns the connectors that fit, the most urgent first, then by name.
func (f overviewFilter) find(s *overview.Snapshot) []*overview.Connector {
	var urgent, attention, rest []*overview.Connector
	for i := range s.Connectors {
		c := &s.Connectors[i]
		if !f.fits(c) {
			continue
		}
		switch markOf(c) {
		case "urgent":
			urgent = append(urgent, c)
		case "attention":
			attention = append(attention, c)
		default:
			rest = append(rest, c)
		}
	}
	return slices.Concat(urgent, attention, rest)
}

// fits reports whether the connector is asked for. Names are in lower case.
func (f overviewFilter) fits(c *overview.Connector) bool {
	if f.Attention && markOf(c) == "" {
		return false
	}
	if f.Text == "" || strings.Contains(c.Name, strings.ToLower(f.Text)) {
		return true
	}
	return slices.ContainsFunc(c.Members, func(m overview.Member) bool { return m.Server == f.Text })
}

// markOf says how a connector's row is marked.
func markOf(c *overview.Connector) string {
	switch urgency, needs := c.Urgency(); {
	case needs && urgency == overview.Urgent:
		return "urgent"
	case needs:
		return "attention"
	}
	return ""
}

// pager says which rows of many a page shows.
type pager struct {
	From, To, Of int
	Newer, Older string // addresses; "" = there is none
	Page, Pages  int
}

func newPager(of, page, size int, address func(page int) string) pager {
	p := pager{Of: of, Pages: max(1, (of+size-1)/size)}
	p.Page = min(page, p.Pages)
	p.From = (p.Page - 1) * size
	p.To = min(of, p.From+size)
	if p.Page > 1 {
		p.Newer = address(p.Page - 1)
	}
	if p.Page < p.Pages {
		p.Older = address(p.Page + 1)
	}
	return p
}

// OldestDueAt is when the first in line began to wait, for a time that ticks.
func (r overviewRow) OldestDueAt(now time.Time) time.Time {
	if r.Work.OldestDue <= 0 {
		return time.Time{}
	}
	return now.Add(-r.Work.OldestDue)
}
