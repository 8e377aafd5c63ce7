package guard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"tieline/internal/fault"
)

// methods are those that a route can have.
var methods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}

// Around stands before all that a listener serves: every answer has the security
// headers, those too that no route of a table gives, and what the mux would refuse
// in a line of text is refused in the form of whoever asks.
func (g *Guard) Around(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.setHeaders(w.Header())
		_, pattern := mux.Handler(r)
		var other []string
		if pattern == "" || isRest(pattern) {
			other = allowed(mux, r)
		}
		if pattern == "" || len(other) > 0 || underAPI(r) && !strings.Contains(pattern, apiPath) {
			g.noRoute(w, r, other)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

const apiPath = "/api/"

func underAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, apiPath) }

// isRest reports whether a pattern takes all that no other one takes.
func isRest(pattern string) bool { return strings.HasSuffix(pattern, "/") }

// allowed are the methods by which the address can be asked.
func allowed(mux *http.ServeMux, r *http.Request) (all []string) {
	for _, method := range methods {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "" && !isRest(pattern) {
			all = append(all, method)
		}
	}
	return all
}

// noRoute answers what nothing serves: 405 where it has another method, else 404.
func (g *Guard) noRoute(w http.ResponseWriter, r *http.Request, allowed []string) {
	err := checkAddress(r)
	switch {
	case err != nil:
	case len(allowed) > 0:
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		err = fault.New(fault.BadMethod, fmt.Sprintf("%s does not take %.20q", r.URL.Path, r.Method)).
			WithNext("It takes " + strings.Join(allowed, ", ") + ".")
	case underAPI(r):
		err = fault.New(fault.NotFound, "the API has no "+r.URL.Path).WithNext("GET /api/v1/openapi.json lists its operations.")
	default:
		err = fault.New(fault.NotFound, "there is nothing at "+r.URL.Path)
	}
	if underAPI(r) || !wantsPage(r) {
		WriteProblem(w, err)
		return
	}
	g.Page(w, r, err)
}

// wantsPage reports whether a person asks, with a browser.
func wantsPage(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Accept"), func(s string) bool { return strings.Contains(s, "text/html") })
}
