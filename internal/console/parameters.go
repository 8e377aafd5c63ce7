package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
)

// parameter is one of a page's address that not every value fits.
type parameter struct {
	name  string
	takes string // what fits, in words
	fits  func(value string) bool
}

// The parameters that pages share. A value that does not fit is refused before
// the page is made: what shows everything instead looks like an answer.
var (
	statusParameter  = oneOf("status", alert.Open, alert.Closed)
	stageParameter   = oneOf("stage", alertStages...)
	parkedParameter  = oneOf("parked", "1")
	overdueParameter = oneOf("overdue", "1")
	showParameter    = oneOf("show", "attention")
	verdictParameter = oneOf("show", documents.Verdicts...)
	windowParameter  = parameter{name: "window", takes: listed(windowKeys()), fits: func(v string) bool { return slices.Contains(windowKeys(), v) }}

	pageParameter   = whole("page", "a page's number, from 1", 1)
	tryParameter    = whole("try", "a number of alerts", 0)
	fromParameter   = whole("from", "a number of alerts", 0)
	eventParameter  = whole("before", "a place that a link to older changes names", 1)
	entryParameter  = whole("before", "a place that a link to older entries names", 1)
	placeParameter  = parameter{"before", "a place that a link to older alerts names", func(v string) bool { _, ok := parsePlace(v); return ok }}
	linkParameter   = parameter{"after", "a place that a link to older ones names", func(v string) bool { _, ok := parseLink(v); return ok }}
	alertParameters = []parameter{statusParameter, stageParameter, parkedParameter, overdueParameter, placeParameter}
)

func oneOf[T ~string](name string, values ...T) parameter {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return parameter{name, listed(words), func(v string) bool { return slices.Contains(words, v) }}
}

func whole(name, takes string, least int64) parameter {
	return parameter{name, takes, func(v string) bool {
		n, err := strconv.ParseInt(v, 10, 64)
		return err == nil && n >= least
	}}
}

func listed(words []string) string { return strings.Join(words, ", ") }

func windowKeys() []string {
	keys := make([]string, len(windows))
	for i, w := range windows {
		keys[i] = w.Key
	}
	return keys
}

// checked makes the page when the parameters of its address fit, and else says
// which do not. An empty one is none.
func (c *Console) checked(h http.HandlerFunc, all ...parameter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if wrong := misfits(r.URL.Query(), all); len(wrong) > 0 {
			c.failAt(w, r, fault.InvalidInput("the address asks for what this page does not know", wrong), way{Path: r.URL.EscapedPath(), Name: "The page without a filter"})
			return
		}
		h(w, r)
	}
}

func misfits(q url.Values, all []parameter) []fault.Problem {
	var wrong []fault.Problem
	for _, p := range all {
		if v := strings.TrimSpace(q.Get(p.name)); v != "" && !p.fits(q.Get(p.name)) {
			wrong = append(wrong, fault.Problem{Path: p.name, Message: "there is no " + strconv.Quote(clip(v, 60)) + "; it takes " + p.takes})
		}
	}
	return wrong
}
