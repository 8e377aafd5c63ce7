package console

import (
	"fmt"
	"net/http"
	"strconv"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
	"tieline/internal/service/overview"
)

// serversPage lists every server of the group.
type serversPage struct {
	Page
	Servers   []overview.Server
	Pager     pager
	CanRemove bool
}

// serverRows is how many servers a page shows.
const serverRows = 50

func (c *Console) serverRoutes() []guard.Route {
	return []guard.Route{
		page("/servers", c.checked(c.servers, pageParameter)),
		patient(form("/servers/refresh", access.View, "refresh list", func(w http.ResponseWriter, r *http.Request) { c.refresh(w, r, "/servers") })),
		asks("/servers/{server}/remove", access.Operate, c.askRemove),
		form("/servers/{server}/remove", access.Operate, "remove server", c.removeServer),
	}
}

func (c *Console) serversLive() []liveRoute {
	return []liveRoute{{"GET /servers", func(r *http.Request) livePage {
		n, _ := strconv.Atoi(r.URL.Query().Get("page")) // what is no number is the first page
		return livePage{template: "servers.html", panels: []string{"servers"}, data: func(s overview.State) (any, error) {
			return serversOf(c.livePanel(r, s.Snapshot.At), s.Snapshot, n), nil
		}}
	}}}
}

func serversOf(p Page, s *overview.Snapshot, page int) serversPage {
	data := serversPage{Page: p, CanRemove: p.MayOperate()}
	data.Pager = newPager(len(s.Servers), max(page, 1), serverRows, func(n int) string { return "?page=" + strconv.Itoa(n) })
	data.Servers = s.Servers[data.Pager.From:data.Pager.To]
	return data
}

func (c *Console) servers(w http.ResponseWriter, r *http.Request) {
	snapshot, err := c.Services.Overview.Read(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	p := c.page(w, r, "Servers", "servers")
	p.Live, p.Now = true, snapshot.At
	n, _ := strconv.Atoi(r.URL.Query().Get("page")) // what is no number is the first page
	c.render(w, r, http.StatusOK, "servers.html", serversOf(p, snapshot, n))
}

// askRemove says what the removal of a server does.
func (c *Console) askRemove(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("server")
	snapshot, err := c.Services.Overview.Read(r.Context())
	if err != nil {
		c.fail(w, r, err)
		return
	}
	for _, v := range snapshot.Servers {
		if v.Name == name {
			c.render(w, r, http.StatusOK, "confirm.html", confirmPage{
				Page: c.page(w, r, "Remove a server", "servers"), Heading: fmt.Sprintf("Remove %s from management group %s?", name, snapshot.Group), Server: name,
			})
			return
		}
	}
	c.fail(w, r, fault.New(fault.NotFound, "the management group has no server "+name))
}

func (c *Console) removeServer(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("server")
	if err := c.Services.Availability.Remove(r.Context(), name, who(r)); err != nil {
		c.undone(w, r, "/servers", err)
		return
	}
	c.done(w, r, "/servers", Notice{Kind: "ok", What: name + " was removed", Text: "It has left every communication order. A process of it that still runs stops by itself."})
}
