package api

import (
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

// The library's own errors (a body that does not fit its schema, for one) take
// our form, by the one variable there is for it; it is also where the library
// finds the form for the OpenAPI document.
func init() {
	huma.NewError = newProblem
	huma.DefaultArrayNullable = false // our lists are empty, never null
}

// newProblem leaves out the values that the library would repeat: one may be a password.
func newProblem(status int, detail string, errs ...error) huma.StatusError {
	p := guard.NewProblem(status, detail)
	for _, err := range errs {
		var d huma.ErrorDetailer
		switch {
		case errors.As(err, &d):
			p.Errors = append(p.Errors, fault.Problem{Path: d.ErrorDetail().Location, Message: d.ErrorDetail().Message})
		case err != nil:
			p.Errors = append(p.Errors, fault.Problem{Message: err.Error()})
		}
	}
	return p
}
