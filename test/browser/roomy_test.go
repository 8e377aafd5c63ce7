package browser

// roomy fails where a finger would miss: for whatever is pressed and is no link
// within a text, or a number's own.
func (p *tab) roomy() {
	p.t.Helper()
	const pressed = `button, summary, select, textarea, label:has(input), input:not([type=hidden], label input), a.button, a.brand, nav a, .segmented a, ` +
		`.card-title > a, .card-title > span > a, .attention-list > li > a, .toolbar a`
	low := evaluate[[]string](p, "[...document.querySelectorAll(`"+pressed+"`)]"+`
		.filter(e => e.checkVisibility() && !e.closest(".visually-hidden") && !e.matches(".visually-hidden"))
		.map(e => [e, Math.round(e.getBoundingClientRect().height)]).filter(([e, high]) => high < 40)
		.map(([e, high]) => e.tagName + " " + (e.ariaLabel || e.textContent.trim()).slice(0, 40) + ", " + high + " px")`)
	if len(low) > 0 {
		p.t.Errorf("%s: too low for a finger: %q", p.path(), low)
	}
}
