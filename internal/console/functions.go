package console

import (
	"fmt"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tieline/internal/ha"
	"tieline/internal/service/alerts"
)

// functions are what templates may call.
func functions(a *assets) template.FuncMap {
	return template.FuncMap{
		"asset":     a.url,
		"state":     stateHTML,
		"shape":     shapeHTML,
		"stamp":     stampHTML,
		"clock":     clockHTML,
		"ago":       agoHTML,
		"span":      span,
		"number":    number,
		"plural":    plural,
		"capital":   capital,
		"list":      list,
		"connector": connectorURL,
		"escape":    url.PathEscape,
		"web":       isWeb,
		"add":       func(a, b int) int { return a + b },
		"add64":     func(a, b int64) int64 { return a + b },
		"lower":     func(s any) string { return strings.ToLower(fmt.Sprint(s)) },
		"dict":      dict,

		"brief": alerts.Brief,
		"whole": alerts.Whole,

		"sampleLine": sampleLine,
		"sourceName": sourceName,
		"rows":       func(text string) int { return min(max(strings.Count(text, "\n")+1, 2), 14) },
	}
}

// isWeb reports whether an address that another system gave leads to a page of
// the web. Others, such as those of scripts, are texts and no links.
func isWeb(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// shapes tell the states apart without colour: a filled disc, a ring, a crossed ring.
var shapes = map[ha.State]string{
	ha.Active:  `<circle cx="6" cy="6" r="5" fill="currentColor"/>`,
	ha.Passive: `<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
	ha.Offline: `<circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M3 9 9 3" stroke="currentColor" stroke-width="1.5"/>`,
}

// shapeHTML is the shape of a state, with no words.
func shapeHTML(s ha.State) template.HTML {
	return template.HTML(`<svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">` + shapes[s] + `</svg>`) //nolint:gosec // all of it stands here
}

// stateHTML is a state in word and shape.
func stateHTML(s ha.State) template.HTML {
	return template.HTML(`<span class="state state-`+strings.ToLower(string(s))+`">`) + shapeHTML(s) + template.HTML(template.HTMLEscapeString(string(s))+`</span>`) //nolint:gosec // escaped
}

// stampForm is a time as the record has it.
const stampForm = "2 Jan 2006 15:04:05 MST"

// stampHTML is a time in full, by the database's clock.
func stampHTML(t time.Time) template.HTML { return timeHTML(t, stampForm) }

// clockHTML is a time of a day that is clear from beside it.
func clockHTML(t time.Time) template.HTML { return timeHTML(t, "15:04:05 MST") }

func timeHTML(t time.Time, form string) template.HTML {
	if t.IsZero() {
		return `<span class="zero">never</span>`
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339Nano) + `">` + t.Format(form) + `</time>`) //nolint:gosec // digits and letters of a layout
}

// agoHTML is how long ago a time was; a script keeps it up to date. On a panel
// that is sent alone (see Page.Panel) the script writes it.
func agoHTML(p Page, t time.Time) template.HTML {
	if t.IsZero() {
		return `<span class="zero">never</span>`
	}
	text := ""
	if !p.Panel {
		text = agoText(p.Now.Sub(t))
	}
	return template.HTML(`<span data-ago="` + strconv.FormatInt(t.UnixMilli(), 10) + `">` + text + `</span>`) //nolint:gosec // digits and units
}

// agoText is how long ago, as live.js writes it too.
func agoText(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

// span is a length of time for the eye: "4 s", "3 min", "2 h 10 min", "5 d".
func span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Millisecond && d > 0:
		return "under 1 ms"
	case d < time.Second && d > 0:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		if m := int(d.Minutes()) % 60; m > 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours())/24)
	}
}

// number writes a number with its thousands apart.
func number(n any) string {
	text := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return sign + text
}

// plural is a number with the word for one or for many.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// list joins words as a sentence does.
func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// capital begins a text as a sentence begins.
func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// dict gives a shared template several values: dict "Name" value ...
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
