package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"tieline/internal/fault"
)

// A database takes no text that has a NUL or is no UTF-8, and says so in its own
// words, long after the request was read. So nothing of the kind gets past here:
// not in an address, a header that is read, a form or a JSON body.

// headersRead are those whose values handlers see.
var headersRead = []string{"If-Match", "If-None-Match", "Content-Type", "Accept", "Authorization", "Last-Event-ID", FormHeader}

// checkAddress refuses what the path, the query or a header cannot say.
func checkAddress(r *http.Request) error {
	if textProblem(r.URL.Path) != "" {
		return fault.New(fault.NotFound, "there is nothing at this address: it has characters that no name has")
	}
	problems := textProblems("query.", r.URL.Query())
	for _, name := range headersRead {
		problems = append(problems, textProblems("header.", url.Values{name: r.Header.Values(name)})...)
	}
	return fault.InvalidInput("the request is not valid", problems)
}

// checkBody refuses what the body cannot say: of the API a JSON text, which the
// handler can still read, else a form.
func (v *visit) checkBody(r *http.Request) error {
	if v.route.API() {
		return checkJSON(r)
	}
	if err := parseForm(r); err != nil {
		return err
	}
	problems := textProblems("", r.PostForm)
	if r.MultipartForm != nil {
		problems = append(problems, textProblems("", r.MultipartForm.Value)...)
	}
	return fault.InvalidInput("the form is not valid", problems)
}

func checkJSON(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return unreadable(err, "the request's body")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	problem := textProblem(string(body))
	if problem == "" && escapedNUL(body) {
		problem = nulProblem
	}
	if problem == "" {
		return nil
	}
	return fault.InvalidInput("the request is not valid", []fault.Problem{{Path: "body", Message: problem}})
}

// escapedNUL reports whether a text of a JSON body has a NUL, as only an escape
// can write it.
func escapedNUL(body []byte) bool {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := d.Token()
		if err != nil {
			return false // what is no JSON is refused by whoever reads it
		}
		if text, ok := token.(string); ok && strings.Contains(text, "\x00") {
			return true
		}
	}
}

func textProblems(where string, values url.Values) (problems []fault.Problem) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if problem := textProblem(name); problem != "" {
			problems = append(problems, fault.Problem{Path: strings.TrimSuffix(where, "."), Message: "a name of it " + problem})
			continue
		}
		for _, value := range values[name] {
			if problem := textProblem(value); problem != "" {
				problems = append(problems, fault.Problem{Path: where + name, Message: problem})
				break
			}
		}
	}
	return problems
}

const nulProblem = "has the character NUL"

// textProblem says why a text cannot be kept; "" = it can.
func textProblem(s string) string {
	switch {
	case strings.Contains(s, "\x00"):
		return nulProblem
	case !utf8.ValidString(s):
		return "is not UTF-8 text"
	}
	return ""
}

// unreadable says why a body could not be read.
func unreadable(err error, what string) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.Wrap(fault.TooLarge, err, fmt.Sprintf("%s has more than %d bytes", what, tooLarge.Limit))
	}
	return fault.Wrap(fault.Invalid, err, what+" cannot be read")
}
