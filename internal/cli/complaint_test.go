package cli

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func TestErrorsComeInTheFormThatWasAskedFor(t *testing.T) {
	s := newSite(t)
	s.ok("db", "migrate")
	var said complaint
	r := s.run("connector", "show", "nowhere", "-o", "json")
	if err := json.Unmarshal([]byte(r.err), &said); err != nil || r.out != "" {
		t.Fatalf("%v: out %q, err %q", err, r.out, r.err)
	}
	if said.ExitCode != 3 || r.code != 3 || said.Status != 404 || !strings.Contains(said.Detail, "nowhere") {
		t.Errorf("exit code %d, said %+v", r.code, said)
	}
	r = s.runWith("name: desk\nsources: 7\nnonsense: true\n", "connector", "validate", "-f", "-", "-o", "yaml")
	var any struct {
		Problems []struct{ Path, Message string }
		ExitCode int `yaml:"exit_code"`
	}
	if err := yaml.Unmarshal([]byte(r.err), &any); err != nil || any.ExitCode != 2 || len(any.Problems) < 2 || any.Problems[0].Path == "" {
		t.Errorf("%v: %+v from %q", err, any, r.err)
	}
	if r = s.run("connector", "show", "nowhere"); !strings.HasPrefix(r.err, "tieline: ") {
		t.Errorf("as a table: %q", r.err)
	}
}

func TestWhatIsShownCanBeApplied(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "only")
	r := s.run("connector", "show", "default")
	if r.code != 0 || strings.Contains(r.out, "applied") || !strings.Contains(r.err, "version 1") {
		t.Fatalf("shown: %+v", r)
	}
	if again := s.runWith(r.out, "connector", "apply", "-f", "-"); again.code != 0 || !strings.Contains(again.out, "unchanged, at version 1") {
		t.Errorf("applied again: %+v", again)
	}
}

func TestMovesThatCannotBe(t *testing.T) {
	s := newSite(t)
	s.serve("--server", "one", "--high-availability")
	s.serve("--server", "two", "--high-availability")
	for args, want := range map[string]string{
		"move-up default one":            "one is the first",
		"move-down default two":          "two is the last",
		"move-up default three":          "has no server three",
		"move-up nowhere one":            `there is no connector "nowhere"`,
		"switchover nowhere --to one":    `there is no connector "nowhere"`,
		"switchover nowhere":             `there is no connector "nowhere"`,
		"switchover default --to nobody": "has no server nobody",
	} {
		r := s.run(append([]string{"ha"}, strings.Fields(args)...)...)
		if r.code == 0 || !strings.Contains(r.err, want) {
			t.Errorf("ha %s: %+v, want %q", args, r, want)
		}
	}
}

func TestServeNamesMisspeltVariables(t *testing.T) {
	s := newSite(t)
	s.env["TIELINE_LISTEM"] = ":1"
	_, stop := s.serve("--server", "only")
	if r := stop(); !strings.Contains(r.err, "variable=TIELINE_LISTEM nearest=TIELINE_LISTEN") || strings.Contains(r.err, "variable=TIELINE_WHO") {
		t.Errorf("serve says %q", r.err)
	}
}
