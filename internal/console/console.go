package console

import (
	"context"
	"log/slog"
	"net/http"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/access/openid"
	"tieline/internal/service/alerts"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
)

// Services are what the pages show and change.
type Services struct {
	Overview     *overview.Service
	Availability *availability.Service
	Documents    *documents.Service
	Alerts       *alerts.Service
	Access       *access.Service
}

// Config is what a console is made of.
type Config struct {
	Services Services
	Log      *slog.Logger // nil = none
	Version  string       // of the program
	Database string       // which database it is, without credentials
	Group    string       // the management group's name, until the database told it
	Secure   bool         // browsers reach the console by https

	Guard       *guard.Guard     // begins and ends sessions
	OpenID      *openid.Provider // nil = people sign in with a password alone
	OpenIDLabel string           // of the button that leads there
}

// Console renders the pages. Make it with New; it starts nothing.
type Console struct {
	Config
	templates *templates
	assets    *assets
	live      *http.ServeMux // which page watches what; see live.go
	closing   context.Context
	close     context.CancelFunc
}

// New returns a console. It panics when an embedded template is wrong, which a
// test would have shown.
func New(c Config) *Console {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	console := &Console{Config: c, assets: loadAssets()}
	console.closing, console.close = context.WithCancel(context.Background())
	console.templates = parseTemplates(console.assets)
	console.live = console.liveRoutes()
	return console
}

// Close ends the live streams, which would hold up the end of the HTTP server.
func (c *Console) Close() { c.close() }

// Routes is the table of every page, form and file. Package guard mounts it.
func (c *Console) Routes() []guard.Route {
	var all []guard.Route
	for _, list := range [][]guard.Route{
		c.assetRoutes(), c.frameRoutes(), c.signInRoutes(), c.accountRoutes(), c.tokenRoutes(), c.auditRoutes(),
		c.overviewRoutes(), c.availabilityRoutes(), c.serverRoutes(), c.historyRoutes(), c.alertRoutes(), c.documentRoutes(),
	} {
		all = append(all, list...)
	}
	return all
}

// page is a route of a page that any role may see.
func page(pattern string, h http.HandlerFunc) guard.Route {
	return guard.Route{Pattern: "GET " + pattern, Needs: access.View, Handler: h}
}

// asks is a route of a page that is all about one change: it is for those alone
// who may make it.
func asks(pattern string, needs access.Permission, h http.HandlerFunc) guard.Route {
	return guard.Route{Pattern: "GET " + pattern, Needs: needs, Handler: h}
}

// form is a route that changes something; action is what the audit calls it.
func form(pattern string, needs access.Permission, action string, h http.HandlerFunc) guard.Route {
	return guard.Route{Pattern: "POST " + pattern, Needs: needs, Action: action, Handler: h}
}

// patient is a route that waits for more than the database: peers, a remote
// system, an OpenID provider, the hash of a password.
func patient(r guard.Route) guard.Route {
	r.Work = guard.Patient
	return r
}

// who names the person who asks, for histories.
func who(r *http.Request) string {
	p, _ := access.From(r.Context())
	return p.Name
}
