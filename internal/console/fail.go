package console

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"tieline/internal/access/guard"
	"tieline/internal/fault"
	"tieline/internal/service/overview"
)

// failPage says what could not be done, and what to do.
type failPage struct {
	Page
	Status   int
	What     string
	Next     string
	Problems []fault.Problem
	Away     bool // the database does not answer
	Unsure   bool // what was sent may have been done
	Way      way  // where to go; none = the overview
	Last     *overview.Snapshot
	LastAge  time.Duration
}

// retryPage is how soon a page whose database is away is loaded again, in seconds.
const retryPage = 5

// Fail is fail, for package guard.
func (c *Console) Fail(w http.ResponseWriter, r *http.Request, err error) { c.fail(w, r, err) }

// fail answers with a page about an error. Of one that nobody classified it says
// nothing but that the log has more.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	c.failAt(w, r, err, wayOf(err))
}

// failAt is fail with the page where the next step is.
func (c *Console) failAt(w http.ResponseWriter, r *http.Request, err error, to way) {
	err, unsure := guard.Late(r.Context(), err)
	kind := fault.KindOf(err)
	data := failPage{Page: c.page(w, r, failTitle(kind), ""), Status: kind.Status(), Away: kind == fault.Unavailable, Unsure: unsure, Way: to}
	if errors.Is(err, errUnseen) {
		data.Status = http.StatusPreconditionRequired
	}
	var known *fault.Error
	if errors.As(err, &known) {
		data.What, data.Next, data.Problems = capital(strings.TrimSuffix(known.Msg, ".")), nextStep(known), known.Problems
	} else {
		c.Log.ErrorContext(r.Context(), "a page failed", "route", r.Pattern, "err", err)
		data.What, data.Next = "This server could not do it", "Its log has the cause. Nothing was changed, unless the page says so after a reload."
	}
	if data.Away {
		c.Log.WarnContext(r.Context(), "a page could not be shown", "route", r.Pattern, "err", err)
		data.Retry = retryPage
		data.Last, data.LastAge = c.Services.Overview.Last()
		if r.Method != http.MethodGet {
			data.Retry = 0 // nothing is sent twice by itself
		}
		if data.Retry > 0 {
			w.Header().Set("Refresh", fmt.Sprint(data.Retry)) // also without script
		}
		w.Header().Set("Retry-After", fmt.Sprint(max(1, int(math.Ceil(known.After.Seconds())))))
	}
	c.render(w, r, data.Status, "fail.html", data)
}

func failTitle(kind fault.Kind) string {
	switch kind {
	case fault.Unavailable:
		return "The database does not answer"
	case fault.NotFound:
		return "Not found"
	case fault.Conflict:
		return "Somebody was faster"
	case fault.Forbidden, fault.Unauthorized:
		return "Not allowed"
	case fault.Invalid, fault.TooLarge:
		return "This cannot be used"
	case fault.Refused:
		return "Refused"
	default:
		return "This could not be done"
	}
}

// nextStep ends a next step as a sentence ends.
func nextStep(f *fault.Error) string {
	next := f.Next
	if to := wayOf(f); to.says != "" {
		next = to.says
	}
	if !strings.HasPrefix(next, "tieline ") { // a command is written as it is typed
		next = capital(next)
	}
	if next != "" && !strings.ContainsAny(next[len(next)-1:], ".!?") {
		next += "."
	}
	return next
}
