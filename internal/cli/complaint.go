package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"tieline/internal/fault"
)

// complaint is an error as a program reads it: the problem details of the HTTP
// interfaces (RFC 9457), with the command's exit code.
type complaint struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Next     string          `json:"next,omitempty"`
	Problems []fault.Problem `json:"problems,omitempty"`
	ExitCode int             `json:"exit_code"`
}

// complain says on the error stream what went wrong, in the form that the
// person asked for.
func (c *command) complain(err error) {
	var known *fault.Error
	if !errors.As(err, &known) {
		// Not classified: on the command line the person and the log are one.
		known = &fault.Error{Kind: fault.KindOf(err), Msg: err.Error()}
	}
	if c.output != "json" && c.output != "yaml" {
		fmt.Fprintln(c.Err, "tieline:", fault.Message(known))
		return
	}
	status := known.Kind.Status()
	said := complaint{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: strings.TrimSuffix(known.Msg, ":"),
		Next: known.Next, Problems: known.Problems, ExitCode: known.Kind.ExitCode(),
	}
	if c.output == "yaml" {
		_ = writeYAML(c.Err, said)
		return
	}
	e := json.NewEncoder(c.Err)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	_ = e.Encode(said) // there is nowhere else to say it
}
