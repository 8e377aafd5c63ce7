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
	p := NewProblem(fault.KindOf(err).Status(), fault.Message(err))
	var f *fault.Error
	if errors.As(err, &f) {
		p.Detail, p.Errors = f.Msg, f.Problems
		if f.Next != "" {
			p.Next = f.Next
		}
		p.after = int(math.Ceil(f.After.Seconds()))
	}
	return p
}

// NewProblem returns the details of a status, with what is mostly to be done
// about one.
func NewProblem(status int, detail string) *ProblemDetails {
	return &ProblemDetails{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Next: nextStep(status)}
}

func nextStep(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return `Send an API token: "Authorization: Bearer TOKEN".`
	case http.StatusForbidden:
		return "An administrator can change roles."
	case http.StatusNotFound:
		return "Check the name: the lists of the API tell what there is."
	case http.StatusConflict, http.StatusPreconditionFailed:
		return "Look at what is there now, and decide again."
	case http.StatusRequestEntityTooLarge:
		return "Send less at once."
	case http.StatusNotAcceptable, http.StatusUnsupportedMediaType:
		return "The API reads and writes application/json."
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return "Try again in some seconds."
	}
	if status >= http.StatusInternalServerError {
		return "The server's log has the cause, and the audit what became of a change."
	}
	return "Mend the request and send it again: errors names each thing that is wrong, and GET /api/v1/openapi.json has what is taken."
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
