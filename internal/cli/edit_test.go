package cli

import "testing"

func TestEditMappingKeepsEverythingElse(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{
			"a value that is there, with its comment",
			"name: desk # ours\nhigh_availability:\n  # as agreed\n  tolerance: 3 # heartbeats\n",
			"name: desk # ours\nhigh_availability:\n  # as agreed\n  tolerance: 5 # heartbeats\n  failback: automatic\n",
		},
		{"no section yet", "name: desk\n", "name: desk\nhigh_availability:\n  failback: automatic\n  tolerance: 5\n"},
		{"an empty section", "high_availability:\nname: desk\n", "high_availability:\n  failback: automatic\n  tolerance: 5\nname: desk\n"},
	} {
		got, err := editMapping(c.text, "high_availability", map[string]string{"tolerance": "5", "failback": "automatic"})
		if err != nil || got != c.want {
			t.Errorf("%s: %v, got\n%swant\n%s", c.name, err, got, c.want)
		}
	}
	for _, text := range []string{"", "- a\n", "a: [\n"} {
		if _, err := editMapping(text, "x", nil); err == nil {
			t.Errorf("%q was edited", text)
		}
	}
}
