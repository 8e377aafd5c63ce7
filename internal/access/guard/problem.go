package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"tieline/internal/fault"
)

// ProblemDetails are an error as the API answers it (RFC 9457, application/problem+json).
type ProblemDetails struct {
	Type   string          `json:"type" doc:"What kind of problem it is; about:blank where the status says it all" example:"about:blank"`
	Title  string          `json:"title" doc:"The status in words" example:"Conflict"`
	Status int             `json:"status" doc:"The status again" example:"409"`
	Detail string          `json:"detail" doc:"What is wrong, and why" example:"the document of connector shop is version 8 by now, not version 7"`
	Next   string          `json:"next,omitempty" doc:"What to do about it" example:"Look at the current version, make the change again and apply it."`
	Errors []fault.Problem `json:"errors,omitempty" doc:"Each thing that is wrong with the request, by its path"`
	after  int             // seconds for Retry-After; 0 = none
}

// ProblemOf makes an error into problem details; one that has them already keeps
// them. Of one that nobody classified it says nothing but that the log has more.
func ProblemOf(err error) *ProblemDetails {
	var known *ProblemDetails
	if errors.As(err, &known) {
		return known
	}
	status := fault.KindOf(err).Status()
	p := &ProblemDetails{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fault.Message(err)}
	var f *fault.Error
	if errors.As(err, &f) {
		p.Detail, p.Next, p.Errors = f.Msg, f.Next, f.Problems
		p.after = int(math.Ceil(f.After.Seconds()))
	}
	return p
}

// Header sets what belongs to the problem's status.
func (p *ProblemDetails) Header(h http.Header) {
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(p.after))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="tieline"`)
	}
}

// Error implements error, for handlers that answer a status no fault has.
func (p *ProblemDetails) Error() string { return p.Detail }

// GetStatus is the HTTP status. (The names are those of the API's library.)
func (p *ProblemDetails) GetStatus() int { return p.Status }

// GetHeaders are the headers that belong to the status.
func (p *ProblemDetails) GetHeaders() http.Header {
	h := http.Header{}
	p.Header(h)
	return h
}

// ContentType is what the details are answered as.
func (p *ProblemDetails) ContentType(string) string { return "application/problem+json" }

// WriteProblem answers an error as a problem.
func WriteProblem(w http.ResponseWriter, err error) {
	p := ProblemOf(err)
	p.Header(w.Header())
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client may have left
}

// plainPage stands in for the console's page.
func plainPage(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(fault.KindOf(err).Status())
	fmt.Fprintln(w, fault.Message(err))
}
