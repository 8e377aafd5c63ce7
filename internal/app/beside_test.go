package app

import (
	"strings"
	"testing"

	"tieline/internal/connector"
)

func TestTwoConnectorsShareNoInbox(t *testing.T) {
	parse := func(name, settings string) *connector.Document {
		t.Helper()
		doc, err := connector.Parse([]byte("name: " + name + "\nsources: [{name: other, kind: generic}]\n" + settings))
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	const all, two = "remote: {kind: files, settings: {directory: /srv/tieline}}\n", "remote: {kind: files, settings: {directory: /srv/tieline, inbox: /srv/two}}\n"
	const hook = "remote: {kind: webhook, endpoints: [\"http://desk.test\"], settings: {idempotent: true}}\n"
	for name, c := range map[string]struct {
		doc, other *connector.Document
		want       string
	}{
		"the same directory":         {parse("desk", all), parse("plant", all), "connector plant takes the replies in /srv/tieline/inbox too"},
		"an inbox of its own":        {parse("desk", two), parse("plant", all), ""},
		"a version of itself":        {parse("desk", all), parse("desk", all), ""},
		"one remote, asked not read": {parse("desk", hook), parse("plant", hook), ""},
	} {
		problems := CheckBeside(c.doc, []*connector.Document{c.other})
		switch {
		case c.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", name, problems)
		case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].Message, c.want)):
			t.Errorf("%s: %v, want %q", name, problems, c.want)
		}
	}
}
