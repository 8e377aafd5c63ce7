package config

import (
	"slices"
	"testing"
)

func TestStrangersAreNamedWithTheNearestSetting(t *testing.T) {
	environ := []string{
		"PATH=/bin", "TIELINE_WHO=ann", "TIELINE_CONFIG=x", "TIELINE_TEST_POSTGRES_URL=x",
		"TIELINE_LISTEM=:1", "TIELINE_DATABASE_URI=x=y", "TIELINE_DATABASE=x", "TIELINE_HA=true",
	}
	for _, s := range Settings() {
		environ = append(environ, s.Env()+"=x")
	}
	want := []Stranger{
		{"TIELINE_DATABASE", "TIELINE_DATABASE_URL"}, {"TIELINE_DATABASE_URI", "TIELINE_DATABASE_URL"}, {"TIELINE_HA", "TIELINE_WHO"}, {"TIELINE_LISTEM", "TIELINE_LISTEN"},
	}
	if got := Strangers(environ); !slices.Equal(got, want) {
		t.Errorf("Strangers = %v, want %v", got, want)
	}
	if got := Strangers(nil); got != nil {
		t.Errorf("Strangers of nothing = %v", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1}, {"abc", "ac", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
