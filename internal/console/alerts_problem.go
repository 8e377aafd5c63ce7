package console

import (
	"errors"
	"net/http"

	"tieline/internal/fault"
)

// formProblem returns what a form that could not be done should say beside what
// was typed, by field, and with which status; ok is false where the form is the
// wrong place for it.
func formProblem(err error) (what string, problems map[string]string, status int, ok bool) {
	var known *fault.Error
	if !errors.As(err, &known) {
		return "", nil, 0, false
	}
	switch known.Kind {
	case fault.Invalid, fault.TooLarge:
		status = http.StatusUnprocessableEntity
	case fault.Conflict:
		status = known.Kind.Status()
	default:
		return "", nil, 0, false
	}
	problems = map[string]string{}
	for _, p := range known.Problems {
		problems[p.Path] = capital(p.Message)
	}
	what = capital(known.Msg) + "."
	if next := nextStep(known); next != "" {
		what += " " + next
	}
	return what, problems, status, true
}
