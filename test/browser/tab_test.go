package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a tab waits for what should happen. It bounds a failure
// only: no test asserts that something is faster.
const patience = 45 * time.Second

// tab is one browser window of one person: cookies are not shared.
type tab struct {
	t    *testing.T
	base string // the server's address; moveTo changes it
	ctx  context.Context

	mu     sync.Mutex
	own    map[string]bool // addresses that its pages may ask: the server's, and those it was at before
	bytes  float64         // received since the last open
	status int64           // of the last document
	faults []string        // errors the pages logged, and requests to other hosts
}

// newTab opens a window on a server. It fails the test at its end when a page
// logged an error or asked another host for anything.
func newTab(t *testing.T, base string) *tab {
	t.Helper()
	p := &tab{t: t, base: base, own: map[string]bool{base: true}}
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.heard))
	t.Cleanup(cancel)
	p.ctx = ctx
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		if _, err := cdp.Call(ctx, to, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, to, log.Enable, cdp.Empty{})
		return err
	}))
	p.theme("light") // and no motion, which takes a machine without a graphics card long to draw
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, f := range p.faults {
			t.Error(f)
		}
	})
	return p
}

// heard judges what the browser reports. It must not block.
func (p *tab) heard(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !p.owns(e.Request.URL) {
			p.faults = append(p.faults, "a page asked another host: "+e.Request.URL)
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			p.status = e.Response.Status
		}
	case *network.EventLoadingFinished:
		p.bytes += e.EncodedDataLength
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, "a script failed: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !p.expected(e.Entry) {
			p.faults = append(p.faults, "a page logged: "+e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// moveTo has the tab open its next page on another server. What the last page
// still asks of the former one is no fault of its own.
func (p *tab) moveTo(base string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.base, p.own[base] = base, true
}

func (p *tab) owns(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	return u.Scheme == "data" || u.Scheme == "blob" || p.own[u.Scheme+"://"+u.Host]
}

// expected lets the answers of documents pass (status is for the test to
// judge), and connections that end because a server was killed.
func (p *tab) expected(e *log.Entry) bool {
	if e.Source != log.EntrySourceNetwork {
		return false
	}
	return e.URL == "" || !strings.Contains(e.URL, "/assets/") || strings.Contains(e.Text, "net::ERR_CONNECTION_")
}

func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := p.try(steps...); err != nil {
		p.t.Fatalf("%v; the page shows:\n%s", err, p.shows())
	}
}

func (p *tab) try(steps ...chromedp.Action[chromedp.Void]) error {
	if err := chromedp.Do(p.ctx); err != nil { // the first run makes the window: it must not end with a deadline
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// open goes to a path of the server, with an empty cache, and returns the
// status of the answer.
func (p *tab) open(path string) int {
	p.t.Helper()
	p.mu.Lock()
	p.bytes, p.status = 0, 0
	p.mu.Unlock()
	p.do(chromedp.Navigate(p.base + path))
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.status)
}

// weight is what the last open and everything it loaded took on the wire, in bytes.
func (p *tab) weight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int(p.bytes)
}

// path is where the window is: path and query.
func (p *tab) path() string {
	p.t.Helper()
	return evaluate[string](p, "location.pathname + location.search")
}

// evaluate returns the value of a script's expression.
func evaluate[T any](p *tab, expression string, options ...chromedp.EvaluateOption) T {
	p.t.Helper()
	v, err := tryEvaluate[T](p, expression, options...)
	if err != nil {
		p.t.Fatalf("%v; the page shows:\n%s", err, p.shows())
	}
	return v
}

func tryEvaluate[T any](p *tab, expression string, options ...chromedp.EvaluateOption) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
}

// call calls a script's function with arguments.
func call[T any](p *tab, function string, args ...any) (T, error) {
	texts := make([]string, len(args))
	for i, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			p.t.Fatal(err)
		}
		texts[i] = string(b)
	}
	return tryEvaluate[T](p, "("+function+")("+strings.Join(texts, ", ")+")")
}

// shows is the text of the page as a person reads it, without folds.
func (p *tab) shows() string {
	text, err := tryEvaluate[string](p, `document.body ? document.body.innerText.replace(/\s+/g, " ").trim() : ""`)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	return text
}

// sees waits until the page shows every one of the texts.
func (p *tab) sees(texts ...string) {
	p.t.Helper()
	missing := ""
	if !p.eventually(func() bool {
		shown := p.shows()
		i := slices.IndexFunc(texts, func(s string) bool { return !strings.Contains(shown, s) })
		if i >= 0 {
			missing = texts[i]
		}
		return i < 0
	}) {
		p.t.Fatalf("%s does not show %q but:\n%s", p.path(), missing, p.shows())
	}
}

// misses fails when the page shows any of the texts now.
func (p *tab) misses(texts ...string) {
	p.t.Helper()
	shown := p.shows()
	for _, text := range texts {
		if strings.Contains(shown, text) {
			p.t.Errorf("%s shows %q", p.path(), text)
		}
	}
}

// eventually reports whether the condition came to hold within patience. It looks
// less often the longer it waits: each look has the browser lay the page out.
func (p *tab) eventually(condition func() bool) bool {
	pause := 20 * time.Millisecond
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pause = min(pause*5/4, 200*time.Millisecond) {
		if condition() {
			return true
		}
		select {
		case <-p.ctx.Done():
			return false
		case <-time.After(pause):
		}
	}
	return false
}

// find is a script's function that returns what a person would call so: its
// centre once it is visible, uncovered and enabled, else null. An open dialog
// hides the rest of the page. A name may be the beginning of the control's.
const find = `(kinds, name, focus) => {
	const norm = s => (s || "").replace(/\s+/g, " ").trim();
	const scope = document.querySelector("dialog:modal") || document;
	const called = e => {
		const by = e.getAttribute("aria-labelledby");
		if (by) return norm(by.split(/\s+/).map(id => document.getElementById(id)?.textContent).join(" "));
		if (e.getAttribute("aria-label")) return norm(e.getAttribute("aria-label"));
		if (e.labels && e.labels.length) return norm(e.labels[0].innerText);
		return norm(e.innerText || e.value || e.title);
	};
	const visible = e => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 0;
	const all = [...scope.querySelectorAll(kinds)].filter(visible);
	const e = all.find(e => called(e) === name) || all.find(e => called(e).startsWith(name));
	if (!e || e.disabled) return null;
	e.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
	if (focus) e.focus();
	const r = e.getClientRects()[0]; // of a link in several lines the first: between two is no link
	const x = r.left + Math.min(r.width / 2, 60), y = r.top + r.height / 2;
	const hit = document.elementFromPoint(x, y);
	const label = e.labels && e.labels.length ? e.labels[0] : null;
	if (!hit || !(e.contains(hit) || hit.contains(e) || label && label.contains(hit))) return null;
	return [x, y];
}`

const (
	pressable = `button, a[href], summary, [role="button"], [role="tab"], input[type="submit"]`
	fillable  = `input, select, textarea`
)

// locate waits for a control and returns its centre.
func (p *tab) locate(kinds, name string, focus bool) (x, y float64) {
	p.t.Helper()
	var at []float64
	if !p.eventually(func() bool {
		var err error
		at, err = call[[]float64](p, find, kinds, name, focus)
		return err == nil && len(at) == 2
	}) {
		p.t.Fatalf("%s has no control %q that can be used; it shows:\n%s", p.path(), name, p.shows())
	}
	return at[0], at[1]
}

// press clicks the button, link or summary of that name.
func (p *tab) press(name string) {
	p.t.Helper()
	x, y := p.locate(pressable, name, false)
	p.do(chromedp.MouseClickXY(x, y))
}

// submit presses what leads to another page and waits for that page.
func (p *tab) submit(name string) {
	p.t.Helper()
	p.leave(func() { p.press(name) })
}

// leave waits until what an action leads to is loaded.
func (p *tab) leave(action func()) {
	p.t.Helper()
	evaluate[bool](p, `window.stillHere = true`)
	action()
	if !p.eventually(func() bool {
		next, err := tryEvaluate[bool](p, `!window.stillHere && document.readyState === "complete"`)
		return err == nil && next
	}) {
		p.t.Fatalf("no other page came; %s shows:\n%s", p.path(), p.shows())
	}
}

// fill replaces the text of the field of that label, by key strokes.
func (p *tab) fill(label, value string) {
	p.t.Helper()
	p.locate(fillable, label, true)
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, runtime.Evaluate, runtime.EvaluateParams{Expression: `document.activeElement.select?.()`})
		return err
	}))
	if value == "" {
		p.keys("\b")
		return
	}
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, input.InsertText, input.InsertTextParams{Text: value})
		return err
	}))
}

// choose selects an option, by its text or value, of the list of that label.
func (p *tab) choose(label, option string) {
	p.t.Helper()
	p.locate("select", label, true)
	found, err := call[bool](p, `(option) => {
		const list = document.activeElement;
		const o = [...list.options].find(o => o.text.trim() === option || o.value === option);
		if (!o) return false;
		list.value = o.value;
		list.dispatchEvent(new Event("input", {bubbles: true}));
		list.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	}`, option)
	if err != nil || !found {
		p.t.Fatalf("the list %q has no option %q (%v)", label, option, err)
	}
}

// tick clicks the check box or radio button of that label.
func (p *tab) tick(label string) {
	p.t.Helper()
	x, y := p.locate(`input[type="checkbox"], input[type="radio"]`, label, false)
	p.do(chromedp.MouseClickXY(x, y))
}

// keys types keys (package kb) at whatever has the focus.
func (p *tab) keys(keys string, options ...chromedp.KeyOption) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys, options...))
}

// focus gives the control of that name the focus, as Tab would.
func (p *tab) focus(name string) {
	p.t.Helper()
	p.locate(pressable+", "+fillable, name, true)
}

// focused is the name of what has the focus.
func (p *tab) focused() string {
	p.t.Helper()
	return evaluate[string](p, `(() => {
		const e = document.activeElement;
		return (e.getAttribute("aria-label") || e.labels?.[0]?.innerText || e.innerText || e.value || "").replace(/\s+/g, " ").trim();
	})()`)
}

// theme chooses light or dark as the person's system would, without motion.
func (p *tab) theme(name string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

// size makes the window so large; phone makes it one of a phone.
func (p *tab) size(width, height int64, phone bool) {
	p.t.Helper()
	scale := 1.0
	if phone {
		scale = 2
	}
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		_, err := cdp.Call(ctx, to, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: scale, Mobile: phone,
		})
		return err
	}))
}

// phone is the window of one.
func (p *tab) phone() { p.size(390, 844, true) }

// wide fails when the page is wider than its window, so that it must be moved sideways.
func (p *tab) wide() {
	p.t.Helper()
	over := evaluate[int](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
	if over > 0 {
		which := evaluate[[]string](p, `[...document.querySelectorAll("body *")]
			.filter(e => e.getBoundingClientRect().right > innerWidth + 1).slice(0, 5)
			.map(e => e.tagName + "." + e.className + " " + e.textContent.trim().slice(0, 40))`)
		p.t.Errorf("%s is %d px wider than its window: %s", p.path(), over, strings.Join(which, " | "))
	}
}

func (p *tab) String() string { return fmt.Sprintf("tab on %s", p.base) }
