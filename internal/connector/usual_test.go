package connector

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestUsualTextsAreTheirTemplates holds each default that is written out in Go
// against the template that documents show.
func TestUsualTextsAreTheirTemplates(t *testing.T) {
	for text, written := range usuals {
		template, err := compileTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(500) {
			d := someData(rand.New(rand.NewPCG(seed, 0)))
			want, err := template.text(d)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := written.text(d); err != nil || got != want {
				t.Fatalf("seed %d: %q, %v\nwant %q", seed, got, err, want)
			}
		}
	}
}

func someData(r *rand.Rand) *data {
	word := func() string {
		words := []string{"", " ", "critical", "a b", "<&>", "ü\n", "{{ . }}"}
		return words[r.IntN(len(words))]
	}
	d := &data{
		Source: word(), Key: word(), Severity: word(), Summary: word(), Description: word(), URL: word(), StartsAt: word(),
	}
	for _, name := range []string{"alertname", "b", "Z", "ä"}[:r.IntN(5)] {
		if d.Labels == nil {
			d.Labels = map[string]string{}
		}
		d.Labels[name] = word()
	}
	return d
}

func TestUsualTextsAreBounded(t *testing.T) {
	if _, err := usual(usualBody).text(&data{Summary: strings.Repeat("x", maxText+1)}); err != errTooLong {
		t.Errorf("a text over the limit: %v", err)
	}
}
