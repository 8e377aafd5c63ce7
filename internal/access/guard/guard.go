// Package guard stands before every page of the console and every operation of
// the API. It finds out who asks (a session's cookie or an API token), compares
// their role with what the route needs, refuses foreign forms and what is no text,
// sets the security headers, bounds the request in size and time, and writes the
// audit of changes and refusals.
//
// A route is one line of a table, and there is no way past the table: what is
// not said of a route is refused. Whoever adds one says what it needs.
package guard

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"tieline/internal/access"
	"tieline/internal/secret"
)

// Route is one line of the table of routes.
type Route struct {
	Pattern string            // of http.ServeMux, with its method: "GET /connectors/{connector}"
	Needs   access.Permission // the zero value is Administer
	Handler http.Handler
	Action  string // what the audit calls it; "" = the pattern
	Audit   bool   // it stands in the audit although its method is a safe one
	Stream  bool   // the answer goes on and on: it is cut when its session has ended, and after StreamTime at the latest
	Work    Work   // what it waits for, and so how long it may take; of a stream it does not matter
	Body    int64  // the most bytes a request's body may have; 0 = MaxBody
}

// API reports whether programs call the route: it answers errors as problem
// details, and takes API tokens.
func (r Route) API() bool { return strings.HasPrefix(r.path(), "/api/") }

func (r Route) method() string {
	method, _, _ := strings.Cut(r.Pattern, " ")
	return method
}

func (r Route) path() string {
	_, path, _ := strings.Cut(r.Pattern, " ")
	return path
}

// Unsafe reports whether the route may change something, by its method.
func (r Route) Unsafe() bool {
	switch r.method() {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return true
}

// Bounds of a request.
const (
	MaxBody    = 1 << 20         // bytes, unless the route says otherwise
	StreamTime = 5 * time.Minute // of a route that streams
)

// Access is what the guard needs of package access; *access.Service is one.
type Access interface {
	Bearer(ctx context.Context, text string) (access.Principal, error)
	Session(ctx context.Context, hash string) (data []byte, found bool, err error)
	LiveSessions(ctx context.Context, hashes []string) (map[string]bool, error)
	SaveSession(ctx context.Context, s access.Session) error
	EndSession(ctx context.Context, hash string) error
	Record(ctx context.Context, e access.Entry) error
	Begin(ctx context.Context, e access.Entry) (access.Entry, error)
	End(ctx context.Context, e access.Entry) error
}

// Config is what a guard is made of.
type Config struct {
	Access  Access
	Log     *slog.Logger   // nil = none
	Key     secret.String  // of the management group; none = browsers are not known again
	Group   string         // the management group's id: tells the cookies of two groups on one host apart
	URL     *url.URL       // by which browsers reach the console; nil = whatever they use. https makes cookies Secure.
	Proxies []netip.Prefix // whose X-Forwarded-For is believed

	// Page answers an error as a page. nil = as plain text.
	Page func(w http.ResponseWriter, r *http.Request, err error)
}

// Guard guards routes. Make it with New.
type Guard struct {
	Config
	sessions *scs.SessionManager
	cross    *http.CrossOriginProtection
	damper   damper
	streams  *streams
	places   gate
	patient  gate // of the routes whose work is Patient
}

// New returns a guard.
func New(c Config) *Guard {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Page == nil {
		c.Page = plainPage
	}
	g := &Guard{
		Config: c, cross: http.NewCrossOriginProtection(), streams: newStreams(c.Access),
		places: make(gate, places), patient: make(gate, patientPlaces),
	}
	if c.URL != nil {
		// A proxy may give us another Host than the browser's; the address is scheme and host, so it cannot be refused.
		_ = g.cross.AddTrustedOrigin((&url.URL{Scheme: c.URL.Scheme, Host: c.URL.Host}).String())
	}
	g.sessions = g.newSessions()
	return g
}

// Secure reports whether browsers reach the console by https.
func (g *Guard) Secure() bool { return g.URL != nil && g.URL.Scheme == "https" }

// cookieName has the group in it: browsers send the cookies of one host to
// every port of it. By https the prefix __Host- keeps other hosts of the domain
// from setting it.
func (g *Guard) cookieName(what string) string {
	name := "tieline-" + what
	if len(g.Group) >= 8 {
		name += "-" + g.Group[:8]
	}
	if g.Secure() {
		name = "__Host-" + name
	}
	return name
}

// Mount puts every route of a table behind the guard. It panics, as the mux
// does, at a table with a duplicate or with a route that names no method.
func (g *Guard) Mount(mux *http.ServeMux, routes []Route) {
	for _, r := range routes {
		if r.Handler == nil || r.method() == "" || !strings.HasPrefix(r.path(), "/") {
			panic(fmt.Sprintf("guard: the route %q has no method, path or handler", r.Pattern))
		}
		mux.Handle(r.Pattern, g.guarded(r))
	}
}

// guarded is one route with everything that stands before it.
func (g *Guard) guarded(route Route) http.Handler {
	if route.Body == 0 {
		route.Body = MaxBody
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.setHeaders(w.Header())
		r.Body = http.MaxBytesReader(w, r.Body, route.Body)
		if route.Stream {
			ctx, cancel := context.WithTimeout(r.Context(), StreamTime)
			defer cancel()
			r = r.WithContext(ctx)
		}
		v := &visit{guard: g, route: route, address: g.Address(r), w: w}
		v.serve(r)
	})
}
