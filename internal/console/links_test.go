package console

import (
	"regexp"
	"strings"
	"testing"
)

func TestIsWeb(t *testing.T) {
	for address, want := range map[string]bool{
		"https://rt.example/Ticket?id=7": true, "http://[::1]:8080/": true, "HTTPS://EXAMPLE.ORG": true,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, "//evil.example/": false, "/sign-out": false,
		"https:": false, "https:/x": false, "": false, "mailto:a@b": false, "ht tp://x": false, "\x01javascript:alert(1)": false,
	} {
		if isWeb(address) != want {
			t.Errorf("%q is of the web: %t", address, !want)
		}
	}
}

// foreign is a link whose address another system gave.
var foreign = regexp.MustCompile(`<a href="\{\{(\.\w*)\}\}"[^>]* rel="noreferrer"`)

// TestForeignLinksAreOfTheWeb: no template makes a link of what may be a script.
func TestForeignLinksAreOfTheWeb(t *testing.T) {
	n := 0
	for _, name := range mustGlob(templateFiles, "templates/*.html") {
		text, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range foreign.FindAllSubmatchIndex(text, -1) {
			n++
			address := string(text[at[2]:at[3]])
			if !strings.HasSuffix(string(text[:at[0]]), "{{if web "+address+"}}") {
				t.Errorf("%s makes a link of %s, whatever it is", name, address)
			}
		}
	}
	if n < 4 {
		t.Errorf("%d links are looked at: not all of them", n)
	}
}
