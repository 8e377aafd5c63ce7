// Package fault gives errors two audiences: a kind and a safe message for the
// person who sees it, and the cause for the log.
//
// Everything below the edge wraps with fmt.Errorf as usual. An error becomes a
// *Error where the code knows what a person should be told: the thing, the
// cause and the next step. The edges (HTTP, CLI) then ask KindOf and Message;
// an error nobody classified is Internal and its text is never shown.
package fault

import (
	"errors"
	"strings"
	"time"
)

// Kind says what sort of failure it is, and through Status and ExitCode what a
// caller on the other side of HTTP or the command line is told.
type Kind int

// The kinds, from "our fault" to "yours".
const (
	Internal     Kind = iota // a bug or an unforeseen failure
	Invalid                  // the input is wrong; Problems says where
	NotFound                 // the named thing does not exist
	Conflict                 // it exists already, or changed in between
	Unauthorized             // no or wrong credentials
	Forbidden                // known, but not allowed
	TooLarge                 // over a size or count limit
	Unavailable              // the database or a peer is away; try again
	Refused                  // the set-up does not permit it (wrong group, newer schema, no high availability)
	TooMany                  // tried too often; After says when to try again
	BadMethod                // the address is there, and not for this HTTP method
)

// Problem is one thing wrong with an input, with the path of the field
// ("alerts[3].startsAt", "lifecycle.close.wait").
type Problem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Error is an error with a message that is safe to show.
type Error struct {
	Kind     Kind
	Msg      string        // names the thing and the cause; safe for people
	Next     string        // what to do about it; may be empty
	Problems []Problem     // for Invalid: every problem found, not just the first
	After    time.Duration // for Unavailable and TooMany: when to try again; 0 = unknown
	Err      error         // the cause, for the log only; may be nil
}

// New returns an Error of the kind with a safe message.
func New(kind Kind, msg string) *Error { return &Error{Kind: kind, Msg: msg} }

// Wrap returns an Error of the kind with a safe message over a cause.
func Wrap(kind Kind, err error, msg string) *Error { return &Error{Kind: kind, Msg: msg, Err: err} }

// WithNext returns the error with the next step a person should take.
func (e *Error) WithNext(next string) *Error { e.Next = next; return e }

// Error is for the log: the safe message, then the cause.
func (e *Error) Error() string {
	s := e.Msg
	for _, p := range e.Problems {
		s += "; " + p.Path + ": " + p.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// InvalidInput returns an Invalid error listing the problems, or nil when there are none.
func InvalidInput(what string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Msg: what, Problems: problems}
}

// KindOf returns the kind of the outermost *Error in the chain, Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Message returns what may be shown to a person: the safe message with its
// problems and next step. Of an unclassified error it says nothing but that the
// log has more.
func Message(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "internal error; the server's log has the details"
	}
	var b strings.Builder
	b.WriteString(e.Msg)
	for _, p := range e.Problems {
		b.WriteString("\n  ")
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Message)
	}
	if e.Next != "" {
		b.WriteString("\n" + e.Next)
	}
	return b.String()
}

// ProblemsOf returns the problems of the outermost *Error in the chain.
func ProblemsOf(err error) []Problem {
	var e *Error
	if errors.As(err, &e) {
		return e.Problems
	}
	return nil
}

// Status maps a kind to its HTTP status code.
func (k Kind) Status() int {
	switch k {
	case Invalid:
		return 400
	case Unauthorized:
		return 401
	case Forbidden:
		return 403
	case NotFound:
		return 404
	case BadMethod:
		return 405
	case Conflict, Refused:
		return 409
	case TooLarge:
		return 413
	case TooMany:
		return 429
	case Unavailable:
		return 503
	default:
		return 500
	}
}

// ExitCode maps a kind to the command's exit code, as the README lists them.
func (k Kind) ExitCode() int {
	switch k {
	case Invalid, TooLarge, BadMethod:
		return 2
	case NotFound:
		return 3
	case Conflict:
		return 4
	case Unauthorized, Forbidden, TooMany:
		return 5
	case Unavailable:
		return 6
	case Refused:
		return 7
	default:
		return 1
	}
}
