package webhook

import (
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"tieline/internal/remote"
)

// sample is a message that tells everything, to try templates on.
var sample = remote.Message{
	Format: 1, Kind: "update", Key: "tl-sample", Revision: 1, Ticket: "1", Subject: "subject", Body: "body",
	Severity: "high", State: "open", Comment: "comment", RefersTo: "2", Fields: remote.Texts{"Team": "web"},
	Note: &remote.MessageNote{Seq: 1, Text: "note", At: time.Unix(0, 0).UTC()},
	Alert: &remote.MessageAlert{
		ID: "01", Source: "source", SourceKey: "key", Status: "open", Severity: "critical", Summary: "summary",
		Description: "description", URL: "http://monitor/alert", Labels: remote.Texts{"alertname": "DiskFull"}, Annotations: remote.Texts{"summary": "summary"},
	},
}

// never are what makes a template fail for every message; others may fail for
// the sample alone.
var never = []string{"can't evaluate field", "wrong number of args", "wrong type for value", "incompatible types", "; found "}

// mistakes says what makes a template fail whatever the message: a name that is
// not there, an argument of a wrong type. Each of its parts is tried by itself,
// so that all are told at once; a branch that the sample does not take is not.
func mistakes(t *template.Template) []string {
	if t.Tree == nil {
		return nil
	}
	var found []string
	for _, node := range t.Root.Nodes {
		part, err := t.Clone()
		if err != nil {
			return nil
		}
		part.Tree = t.Tree.Copy()
		part.Root.Nodes = []parse.Node{node}
		err = part.Execute(&bounded{}, sample)
		if err == nil || !slices.ContainsFunc(never, func(words string) bool { return strings.Contains(err.Error(), words) }) {
			continue
		}
		_, said, _ := strings.Cut(err.Error(), `" at `) // template: body:1:5: executing "body" at <.Nope>: ...
		said, _, _ = strings.Cut(said, " in type ")     // of ours, which nobody wrote
		said = "always fails at " + remote.Clean(said)
		if !slices.Contains(found, said) {
			found = append(found, said)
		}
	}
	return found
}
