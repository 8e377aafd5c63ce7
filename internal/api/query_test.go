package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/service/alerts"
	"tieline/internal/service/availability"
	"tieline/internal/service/documents"
	"tieline/internal/service/overview"
)

var pathParameter = regexp.MustCompile(`\{[^}]*\}`)

// TestUnknownParametersAreRefused: no operation answers what a misspelt name did
// not ask for. None comes to its service, which has no database here.
func TestUnknownParametersAreRefused(t *testing.T) {
	shown := overview.New(nil)
	routes := New(Services{
		Overview: shown, Availability: availability.New(nil, shown, availability.Documents{}), Alerts: alerts.New(nil),
		Access: access.New(nil, "one", nil), Documents: documents.New(nil, documents.Kinds{}),
	}, Options{})
	walked := 0
	for _, route := range routes {
		if route.Action == "" {
			continue // the document of the API, and what is no operation
		}
		walked++
		method, pattern, _ := strings.Cut(route.Pattern, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, pathParameter.ReplaceAllString(pattern, "1")+"?frobnicate=zzz", nil)
		w := httptest.NewRecorder()
		mux := http.NewServeMux()
		mux.Handle(route.Pattern, route.Handler)
		mux.ServeHTTP(w, r)
		var problem guard.ProblemDetails
		if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
			t.Errorf("%s answers %d: %v\n%s", route.Pattern, w.Code, err, w.Body)
			continue
		}
		if w.Code != http.StatusUnprocessableEntity || len(problem.Errors) != 1 || problem.Errors[0].Path != "query.frobnicate" {
			t.Errorf("%s answers %d: %s", route.Pattern, w.Code, w.Body)
		}
	}
	if walked < 40 {
		t.Errorf("%d operations were walked: not all", walked)
	}
}
