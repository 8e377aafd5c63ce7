package browser

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// moveByKeyboard moves the second server up with the keyboard alone, while
// another browser sees it move.
func moveByKeyboard(t *testing.T, s *site) {
	p, watching, log := s.signIn(t, operator), s.signInAt(t, viewer, s.Servers[1].URL), s.signInAt(t, viewer, s.Servers[2].URL)
	for tab, page := range map[*tab]string{p: deskPage, watching: deskPage, log: "/history"} {
		tab.open(page)
		tab.isLive()
	}
	evaluate[bool](log, `window.stillHere = true`)
	watching.misses("Move Up")
	before := p.order()
	second := before[1]
	p.focus("Move Up " + second)
	p.keys(kb.Enter)
	after := []string{second, before[0], before[2]}
	p.sees("The order was "+strings.Join(before, ", ")+"; it is "+strings.Join(after, ", ")+" now", "Nothing switches over")
	p.hasOrder(after)
	watching.hasOrder(after)
	log.sees(second + " was moved up in the communication order")
	if !evaluate[bool](log, `window.stillHere === true`) {
		t.Error("the history was loaded again")
	}
	// At the top there is no Move Up: its neighbour has the focus.
	p.hasFocus("Move Down " + second)
	p.says(second + " is number 1 of 3")
	// Down to the end, by keys on the row: the focus stays in it.
	for place := 2; place <= 3; place++ {
		p.keys(kb.ArrowDown, chromedp.KeyModifiers(chromedp.ModifierAlt))
		p.says(fmt.Sprintf("%s is number %d of 3", second, place))
	}
	p.hasOrder([]string{before[0], before[2], second})
	p.hasFocus("Move Up " + second)
	p.keys(kb.Enter)
	p.hasOrder(before)
	watching.hasOrder(before)
}

// hasFocus waits until the control of that name has the focus.
func (p *tab) hasFocus(name string) {
	p.t.Helper()
	if !p.eventually(func() bool { return p.focused() == name }) {
		p.t.Errorf("%q has the focus, want %q", p.focused(), name)
	}
}

// says waits until that was told to those who do not see the page.
func (p *tab) says(text string) {
	p.t.Helper()
	told := func() string { return evaluate[string](p, `document.getElementById("say").textContent`) }
	if !p.eventually(func() bool { return strings.Contains(told(), text) }) {
		p.t.Errorf("what was told is %q, want %q", told(), text)
	}
}

// moveByDrag drags rows to other places, with a mouse and on a phone by touch.
func moveByDrag(t *testing.T, s *site) {
	p := s.signIn(t, operator)
	for _, phone := range []bool{false, true} {
		p.size(1280, 900, false)
		if phone {
			p.phone()
		}
		p.open(deskPage)
		p.isLive()
		before := p.order()
		p.drag(before[2], before[0], phone)
		p.hasOrder([]string{before[2], before[0], before[1]})
		p.sees("The order was " + strings.Join(before, ", "))
		p.drag(before[2], before[1], phone)
		p.hasOrder(before)
		// Let go where no row is, it stays where it was.
		p.drag(before[0], "", phone)
		p.hasOrder(before)
		if left := evaluate[int](p, `document.querySelectorAll(".dragging, .drop-before, .drop-after, [data-keep]").length`); left != 0 {
			t.Errorf("%d marks of a drag are left", left)
		}
	}
}

// changedWhileDragged has another one move the rows while one of them is held: they
// stay as they are under the pointer, are shown as they have become when it is let
// go, and are told then; a place among those that were is good for none of them.
func changedWhileDragged(t *testing.T, s *site) {
	p, watching, api := s.signIn(t, operator), s.signIn(t, viewer), s.token(t, operator)
	watching.open(deskPage)
	watching.isLive()
	for _, phone := range []bool{false, true} {
		p.size(1280, 900, false)
		if phone {
			p.phone()
		}
		p.open(deskPage)
		p.isLive()
		evaluate[bool](p, listening)
		before := p.order()
		after := []string{before[1], before[0], before[2]}
		for _, to := range []string{"", before[2]} {
			held := p.hold(before[0], to, phone)
			api.move(before[1], -1)
			watching.hasOrder(after)
			if !p.eventually(func() bool { return evaluate[string](p, `heard`) == strings.Join(after, " ") }) {
				t.Fatalf("the page heard of the order %q, want %v", evaluate[string](p, `heard`), after)
			}
			if now := p.order(); strings.Join(now, " ") != strings.Join(before, " ") {
				t.Errorf("while a row is dragged the order becomes %v", now)
			}
			p.point("end", held, phone)
			p.hasOrder(after)
			if !p.eventually(func() bool {
				return strings.Contains(evaluate[string](p, `told.join(" ")`), before[1]+" is number 1")
			}) {
				t.Errorf("what was held back is not told: %q", evaluate[[]string](p, `told`))
			}
			if to != "" { // the drag itself was decided on another order
				p.sees("was changed in between")
			}
			api.move(before[1], 1)
			p.hasOrder(before)
			evaluate[bool](p, `(told.length = 0, true)`)
		}
	}
}

// listening is a script that keeps the order that the page's stream told last as
// heard, and all that was told to those who do not see the page as told.
const listening = `(() => {
	const parse = JSON.parse, say = document.getElementById("say");
	window.heard = "";
	window.told = [];
	JSON.parse = (text) => {
		const m = parse(text);
		if (m.panels?.order) heard = [...m.panels.order.matchAll(/data-key="row-([^"]*)"/g)].map(r => r[1]).join(" ");
		return m;
	};
	new MutationObserver(() => told.push(say.textContent)).observe(say, { childList: true });
	return true;
})()`

// move moves a server of the site's connector by some places, from whatever order.
func (c client) move(server string, by int) {
	c.t.Helper()
	c.send(http.MethodPost, "/connectors/desk/order/"+server, "*", map[string]any{"by": by}, http.StatusOK)
}

// drag takes a row of the order at its handle and lets it go on another; "" = on
// the page's heading.
func (p *tab) drag(from, to string, touch bool) {
	p.t.Helper()
	p.point("end", p.hold(from, to, touch), touch)
}

// hold is drag without letting go; it returns where the pointer is.
func (p *tab) hold(from, to string, touch bool) [2]float64 {
	p.t.Helper()
	at := func(selector string) [2]float64 {
		c, err := call[[]float64](p, `(s) => { const r = document.querySelector(s).getBoundingClientRect(); return [r.left + Math.min(r.width / 2, 100), r.top + r.height / 2]; }`, selector)
		if err != nil || len(c) != 2 {
			p.t.Fatalf("%s is nowhere: %v", selector, err)
		}
		return [2]float64{c[0], c[1]}
	}
	row := func(server string) string { return `#order tr[data-key="row-` + server + `"]` }
	evaluate[bool](p, `(document.getElementById("order").scrollIntoView({ block: "start", behavior: "instant" }), true)`)
	begin, end := at(row(from)+" .handle"), at("#order h2")
	if to != "" {
		end = at(row(to))
	}
	half := [2]float64{(begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2}
	p.point("start", begin, touch)
	p.point("move", half, touch)
	p.point("move", end, touch)
	return end
}

// The events of a drag.
var (
	mouse = map[string]input.DispatchMouseEventType{
		"start": input.DispatchMouseEventTypeMousePressed, "move": input.DispatchMouseEventTypeMouseMoved, "end": input.DispatchMouseEventTypeMouseReleased,
	}
	touches = map[string]input.DispatchTouchEventType{
		"start": input.DispatchTouchEventTypeTouchStart, "move": input.DispatchTouchEventTypeTouchMove, "end": input.DispatchTouchEventTypeTouchEnd,
	}
)

// point sends one event of a mouse or a finger.
func (p *tab) point(what string, at [2]float64, touch bool) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, to *chromedp.Target) error {
		if touch {
			params := input.DispatchTouchEventParams{Type: touches[what]}
			if what != "end" {
				params.TouchPoints = []*input.TouchPoint{{X: at[0], Y: at[1]}}
			}
			_, err := cdp.Call(ctx, to, input.DispatchTouchEvent, params)
			return err
		}
		_, err := cdp.Call(ctx, to, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: mouse[what],
			X:    at[0], Y: at[1], Button: input.MouseButtonLeft, Buttons: 1, ClickCount: 1,
		})
		return err
	}))
}
