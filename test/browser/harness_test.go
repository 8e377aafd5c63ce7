package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// bad is a page with everything the harness must notice.
const bad = `<!doctype html><html lang="en"><head><title>Bad</title>
<link rel="stylesheet" href="http://elsewhere.invalid/style.css">
<style>@media (prefers-color-scheme: dark) { h1 { color: #777; background: #888; } }</style></head>
<body><main><h1>Bad</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
<label>Name <input></label><button onclick="document.title = 'pressed'">Press me</button>
<div hidden><button>Out of sight</button></div></main>
<script>null.broken</script></body></html>`

// TestHarness shows that a tab notices what it is there to notice.
func TestHarness(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'self' http://elsewhere.invalid; style-src 'unsafe-inline' http://elsewhere.invalid; script-src 'unsafe-inline'; img-src 'none'")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprint(w, bad)
	}))
	t.Cleanup(server.Close)
	p := newTab(t, server.URL)
	if status := p.open("/"); status != http.StatusTeapot {
		t.Errorf("the status is %d, want 418", status)
	}
	p.fill("Name", "as typed")
	p.press("Press me")
	if title := evaluate[string](p, "document.title"); title != "pressed" {
		t.Errorf("the title is %q: the button was not pressed", title)
	}
	if value := evaluate[string](p, `document.querySelector("input").value`); value != "as typed" {
		t.Errorf("the field has %q", value)
	}
	found := p.violationsInThemes()
	for _, want := range []struct {
		theme, rule string
		there       bool
	}{
		{"light", "image-alt", true}, {"dark", "image-alt", true},
		{"light", "color-contrast", false}, {"dark", "color-contrast", true},
	} {
		if got := slices.ContainsFunc(found[want.theme], func(v violation) bool { return v.ID == want.rule }); got != want.there {
			t.Errorf("in the %s theme axe-core finds %s: %v, want %v; all: %v", want.theme, want.rule, got, want.there, found[want.theme])
		}
	}
	if strings.Contains(p.shows(), "Out of sight") {
		t.Error("a hidden text counts as shown")
	}
	if p.weight() < len(bad) {
		t.Errorf("the page weighs %d bytes, less than its text", p.weight())
	}
	for _, want := range []string{"another host: http://elsewhere.invalid", "a script failed", "Content Security Policy"} {
		if !p.eventually(func() bool { return strings.Contains(strings.Join(p.noticed(), "\n"), want) }) {
			t.Errorf("the tab did not notice %q but %q", want, p.noticed())
		}
	}
	p.forgive()
}

// noticed are the faults so far.
func (p *tab) noticed() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// forgive forgets the faults so far.
func (p *tab) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}
