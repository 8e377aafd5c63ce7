package api

import (
	"net/http"
	"strconv"
	"strings"

	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

// ETag is the entity tag of a version or generation, which is 1 or more.
func ETag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// IfMatch is embedded in the input of an operation that changes what has an
// ETag. Give such an operation the errors Precondition.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"The ETag the change was decided on, or * for any" example:"\"7\""`
}

// Precondition are the statuses of an operation that takes If-Match.
var Precondition = []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired}

// Version is the version that If-Match names, 0 for "*". The error is 428 where
// the header is missing.
func (i IfMatch) Version() (int64, error) {
	switch text := strings.TrimSpace(i.IfMatch); {
	case text == "":
		return 0, status(http.StatusPreconditionRequired, "the change does not say what it was decided on",
			"Send the ETag of what you read as If-Match, or If-Match: * to change whatever is there.")
	case text == "*":
		return 0, nil
	default:
		v, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
		if err != nil || v < 1 || text != ETag(v) {
			return 0, fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "header.If-Match", Message: `must be one ETag as it was sent, or "*"`}})
		}
		return v, nil
	}
}

// Tag is the text of the one ETag that If-Match names, "" for "*". The error is
// 428 where the header is missing.
func (i IfMatch) Tag() (string, error) {
	if strings.TrimSpace(i.IfMatch) == "" {
		_, err := i.Version()
		return "", err
	}
	return MayMatch(i).Tag()
}

// MayMatch is IfMatch for an operation that may be asked for whatever is there.
type MayMatch struct {
	IfMatch string `header:"If-Match" doc:"The ETag the change was decided on; absent or * for any" example:"\"7\""`
}

// Tag is the text of the one ETag that If-Match names, "" for none and "*".
func (m MayMatch) Tag() (string, error) {
	text := strings.TrimSpace(m.IfMatch)
	if text == "" || text == "*" {
		return "", nil
	}
	tag, opened := strings.CutPrefix(text, `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	if !opened || !closed || tag == "" || strings.Contains(tag, `"`) {
		return "", fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "header.If-Match", Message: `must be one ETag as it was sent, or "*"`}})
	}
	return tag, nil
}

// quoted is the ETag of a text.
func quoted(tag string) string { return `"` + tag + `"` }

// Stale makes the fault.Conflict of a change whose If-Match is no longer right
// into 412; other errors pass. It is for operations that know no other conflict.
func Stale(err error) error {
	if err == nil || fault.KindOf(err) != fault.Conflict {
		return err
	}
	p := guard.ProblemOf(err)
	p.Status, p.Title = http.StatusPreconditionFailed, http.StatusText(http.StatusPreconditionFailed)
	return p
}

func status(code int, detail, next string) error {
	p := guard.NewProblem(code, detail)
	p.Next = next
	return p
}
