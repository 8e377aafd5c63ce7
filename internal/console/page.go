package console

import (
	"net/http"
	"net/url"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
)

// Page is what the frame around every page shows. Page structs embed it.
type Page struct {
	Title     string // of the document and the page's h1
	Section   string // entry of the navigation: "connectors", "servers", "alerts", "parked", "history", "settings"
	Group     string // the management group
	Database  string
	Version   string
	Principal access.Principal // zero = nobody is signed in
	CSRF      string
	Now       time.Time // by the database's clock, as last seen
	Theme     string    // "light" or "dark"; "" = the system's
	Notice    *Notice   // what the last form came to
	Path      string    // of the request, with its query
	Connector *Frame    // on a connector's pages: its head and tabs
	Live      bool      // the page has panels that keep themselves up to date
	Panel     bool      // this rendering is of a panel alone, for a script that tells relative times itself
	Retry     int       // seconds after which the browser loads the page again; 0 = never
}

// Notice is one sentence about what was done, and what it means.
type Notice struct {
	Kind string // "ok", "amber", "red"; "" = plain
	What string
	Text string
}

// Frame is the head of a connector's pages.
type Frame struct {
	Name   string
	Remote string // what its remote system is called, for the tab
	Active string // who is; "" = nobody
	Tabs   []Tab
}

// Tab is one tab of a connector.
type Tab struct {
	Name, URL string
	Current   bool
}

// SignedIn reports whether somebody is.
func (p Page) SignedIn() bool { return p.Principal != access.Principal{} }

// MayOperate and MayAdminister decide which buttons a page offers; the guard
// decides what they may do.
func (p Page) MayOperate() bool    { return p.Principal.May(access.Operate) }
func (p Page) MayAdminister() bool { return p.Principal.May(access.Administer) }

// page returns the frame of a page for a request. Call it before anything is written.
func (c *Console) page(w http.ResponseWriter, r *http.Request, title, section string) Page {
	principal, _ := access.From(r.Context())
	p := Page{
		Title: title, Section: section, Group: c.Group, Database: c.Database, Version: c.Version,
		Principal: principal, CSRF: guard.Token(r.Context()), Now: c.Services.Overview.Now(),
		Path: r.URL.RequestURI(), Theme: themeOf(r), Notice: c.takeNotice(w, r),
	}
	if last, _ := c.Services.Overview.Last(); last != nil && last.Group != "" {
		p.Group = last.Group
	}
	return p
}

// tabs of a connector, in the original's order with High availability in front,
// because that is what somebody comes for at night.
var tabs = []struct{ key, name, path string }{
	{"availability", "High availability", ""},
	{"remote", "", "/remote"}, // named after the remote system
	{"sources", "Sources", "/sources"},
	{"fields", "Alert fields", "/fields"},
	{"severity", "Severity mapping", "/severity"},
	{"states", "Resolution state mapping", "/states"},
	{"alerts", "Alerts", "/alerts"},
	{"history", "History", "/history"},
	{"draft", "Draft", "/draft"},
}

// frame returns the head of a connector's page. kind is that of its remote
// system, "" = not known; active who is Active.
func frame(name, kind, active, current string) *Frame {
	f := &Frame{Name: name, Remote: remoteName(kind), Active: active}
	for _, t := range tabs {
		label := t.name
		if t.key == "remote" {
			label = f.Remote + " servers"
		}
		f.Tabs = append(f.Tabs, Tab{Name: label, URL: connectorURL(name) + t.path, Current: t.key == current})
	}
	return f
}

// remoteName is what people call a kind of remote system.
func remoteName(kind string) string {
	switch kind {
	case "rt":
		return "Request Tracker"
	case "webhook":
		return "Webhook"
	case "files":
		return "Files"
	default:
		return "Remote system"
	}
}

// connectorURL is the address of a connector's pages.
func connectorURL(name string) string { return "/connectors/" + url.PathEscape(name) }
