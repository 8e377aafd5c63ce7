package app

import (
	"slices"
	"strings"
	"testing"

	"tieline/internal/connector"
)

func TestNotes(t *testing.T) {
	const head = "name: desk\nsubscription: \"true\"\n"
	webhook := func(settings string) string {
		return "remote: {kind: webhook, endpoints: [\"http://desk.test\"], settings: {" + settings + "}}\n"
	}
	sources := func(settings, url string) string {
		return "sources: [{name: other, kind: generic}, {name: am, kind: alertmanager, " + url + "settings: {" + settings + "}}]\n"
	}
	const url, known, acked = "url: \"http://am.test\", ", "idempotent: true", "states: {back: {open: acknowledged}}\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"neither lookup nor idempotent": {sources("", "") + webhook(""), []string{"remote.settings"}},
		"idempotent":                    {sources("", "") + webhook(known), nil},
		"lookup":                        {sources("", "") + webhook(`lookup: {path: "/t", tickets: body.items}`), nil},
		"silences by default":           {sources("", url) + webhook(known) + acked, []string{"sources[1].settings.silence", "sources[1].settings.receiver"}},
		"silences without receiver":     {sources("silence: 24h", url) + webhook(known) + acked, []string{"sources[1].settings.receiver"}},
		"silences with receiver":        {sources("receiver: tieline, silence: 24h", url) + webhook(known) + acked, nil},
		"nothing is written back":       {sources("", "") + webhook(known) + acked, nil},
		"nothing is acknowledged":       {sources("", url) + webhook(known), nil},
		"both":                          {sources("silence: 24h", url) + webhook("") + acked, []string{"remote.settings", "sources[1].settings.receiver"}},
	} {
		doc, err := connector.Parse([]byte(head+c.text), CheckKinds)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var paths []string
		for _, n := range Notes(doc) {
			paths = append(paths, n.Path)
			if !strings.Contains(n.Message, "onfigure \"lookup\"") && !strings.Contains(n.Message, "repeat_interval") && !strings.Contains(n.Message, "Set it to") {
				t.Errorf("%s: the note does not say what to do: %s", name, n.Message)
			}
		}
		if !slices.Equal(paths, c.want) {
			t.Errorf("%s: notes on %q, want %q", name, paths, c.want)
		}
	}
}
