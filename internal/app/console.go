package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/access/openid"
	"tieline/internal/api"
	"tieline/internal/config"
	"tieline/internal/console"
	"tieline/internal/service/alerts"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
	"tieline/internal/store"
)

// services are what console and API show and change, over one database. They
// need no server: all of it works while every connector is down.
type services struct {
	access       *access.Service
	overview     *overview.Service
	availability *availability.Service
	documents    *documents.Service
	alerts       *alerts.Service
}

// newServices returns the services; server is "" in a process that is none.
func newServices(db *store.DB, server string, log *slog.Logger) services {
	shown := overview.New(db)
	return services{
		access:       access.New(db, server, log),
		overview:     shown,
		availability: availability.New(db, shown, availability.Documents{Check: CheckKinds, Settings: HASettings}),
		documents:    documents.New(db, DocumentKinds("tieline/"+Version())),
		alerts:       alerts.New(db, CheckKinds),
	}
}

// web is the console and the API of one process.
type web struct {
	services services
	console  *console.Console
	guard    *guard.Guard
	routes   []guard.Route
}

func newWeb(db *store.DB, group store.GroupInfo, cfg config.Config, server string, log *slog.Logger) *web {
	s := newServices(db, server, log)
	w := &web{services: s}
	w.guard = guard.New(guard.Config{
		Access: s.access, Log: log, Key: group.NudgeKey, Group: group.ID.String(), URL: cfg.Console.URL, Proxies: cfg.Console.Proxies,
	})
	w.console = console.New(console.Config{
		Services: console.Services{
			Overview: s.overview, Availability: s.availability, Documents: s.documents, Alerts: s.alerts, Access: s.access,
		},
		Log: log, Version: Version(), Database: db.Engine(), Group: group.Name, Secure: w.guard.Secure(),
		Guard: w.guard, OpenID: newOpenID(cfg), OpenIDLabel: cfg.OIDC.Label,
	})
	w.guard.Page = w.console.Fail
	w.routes = append(w.console.Routes(), api.New(api.Services{
		Overview: s.overview, Availability: s.availability, Access: s.access, Alerts: s.alerts, Documents: s.documents,
	}, api.Options{Version: Version(), Log: log, Origin: w.guard.From})...)
	return w
}

// newOpenID returns the provider at which people may sign in, nil when there is none.
func newOpenID(cfg config.Config) *openid.Provider {
	o := cfg.OIDC
	if !o.On() {
		return nil
	}
	return openid.New(openid.Config{
		Issuer: o.Issuer, ClientID: o.ClientID, Secret: o.ClientSecret, Redirect: cfg.Console.Origin() + "/sign-in/oidc",
		Scopes: o.Scopes, NameClaim: o.NameClaim, RoleClaim: o.RoleClaim, Viewers: o.Viewers, Operators: o.Operators, Admins: o.Admins,
	})
}

// mount puts every route behind the guard.
func (w *web) mount(mux *http.ServeMux) { w.guard.Mount(mux, w.routes) }

// setUp returns the address at which the first administrator is made, "" where
// there is one.
func (w *web) setUp(ctx context.Context, base string) (string, error) {
	token, needed, err := w.services.access.SetUpLink(ctx)
	if err != nil || !needed {
		return "", err
	}
	return fmt.Sprintf("%s/set-up?token=%s", base, token.Reveal()), nil
}

// openWeb makes this process's console and API; server is "" where it is none.
func (a *App) openWeb(ctx context.Context, server string) {
	a.web = newWeb(a.db, a.group, a.cfg, server, a.log)
	var err error
	base := a.cfg.Console.Origin()
	if base == "" {
		base = "http://" + config.Reachable(a.Addr())
	}
	a.setUpLink, err = a.web.setUp(ctx, base)
	if err != nil {
		a.log.Warn("no set-up link could be made; start the server again for one", "err", err)
	} else if a.setUpLink != "" {
		// The link itself is a secret: it goes to whoever started the server.
		a.log.Info("there is no administrator yet; the set-up link is on standard output")
	}
}
