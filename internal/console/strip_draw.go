package console

import (
	"fmt"
	"time"
	"unicode/utf8"

	"tieline/internal/service/availability"
)

// layout is the size of a picture, in units of its viewBox.
type layout struct {
	class  string
	width  float64
	names  float64 // the column of names at most; 0 = each stands above its lane
	pitch  float64 // from lane to lane
	letter float64 // width of one, about
	ticks  int     // at most so many
}

var (
	wide   = layout{class: "strip-wide", width: 1000, names: 130, pitch: 28, letter: 6.2, ticks: 12}
	narrow = layout{class: "strip-narrow", width: 340, pitch: 42, letter: 6.2, ticks: 4}
)

const (
	stripTop    = 16 // above the lanes: the marks of documents
	laneHeight  = 20
	stripFoot   = 24 // below: the labels of time
	leastWidth  = 2.5
	leastApart  = 3 // bars that are nearer to each other are drawn as one
	labelMargin = 8
	nameMargin  = 8 // between a name and its lane
)

// picture is one drawing.
type picture struct {
	Class  string
	Width  float64
	Height float64
	Lanes  []stripLane
	Ticks  []stripTick
	Marks  []stripMark
	Labels []stripLabel // on top of everything
}

// Foot is where the lanes end; Times where the times stand.
func (p picture) Foot() float64  { return p.Height - stripFoot }
func (p picture) Times() float64 { return p.Height - stripFoot/3 }

type stripLane struct {
	Name, Full   string // as it fits, and whole
	NameX, NameY float64
	Anchor       string
	X, Y, W      float64
	Bars         []stripBar
}

// TextY is where a text in the lane stands.
func (l stripLane) TextY() float64 { return l.Y + laneHeight - 5.5 }

type stripBar struct {
	X, W  float64
	Class string
	Title string
	count int // how many are drawn as this one
}

type stripLabel struct {
	X, Y    float64
	Text    string
	Anchor  string
	Planned bool // it is of a gap that was
}

type stripTick struct {
	X     float64
	Label string
}

type stripMark struct {
	X     float64
	Title string
}

// drawing turns times into places.
type drawing struct {
	layout
	h     availability.History
	scale float64 // units per nanosecond
}

func draw(h availability.History, w window, l layout) picture {
	l.names = l.namesOf(h.Servers)
	d := drawing{layout: l, h: h, scale: (l.width - l.names) / float64(h.Until.Sub(h.Since))}
	p := picture{Class: l.class, Width: l.width, Ticks: d.ticks(w)}
	for i, server := range h.Servers {
		p.Lanes = append(p.Lanes, d.lane(i, server, d.bands(server)))
	}
	gaps := d.lane(len(h.Servers), nobody, d.gaps())
	p.Lanes = append(p.Lanes, gaps)
	p.Labels = d.labels(gaps.TextY())
	p.Height = stripTop + float64(len(p.Lanes))*l.pitch + stripFoot
	for _, doc := range h.Documents {
		p.Marks = append(p.Marks, stripMark{d.x(doc.At), fmt.Sprintf("Document version %d by %s, %s", doc.Version, doc.Who, doc.At.UTC().Format(stampForm))})
	}
	return p
}

// nobody is the name of the lane of the gaps.
const nobody = "nobody"

// namesOf is the column that the longest of the names needs.
func (l layout) namesOf(servers []string) float64 {
	longest := len(nobody)
	for _, name := range servers {
		longest = max(longest, len(name))
	}
	return min(l.names, float64(longest)*(l.letter+1)+nameMargin+1)
}

func (d drawing) lane(i int, name string, bars []stripBar) stripLane {
	l := stripLane{Name: d.short(name), Full: name, X: d.names, W: d.width - d.names, Y: stripTop + float64(i)*d.pitch, Bars: merged(bars)}
	if d.names > 0 {
		l.NameX, l.NameY, l.Anchor = d.names-nameMargin, l.TextY(), "end"
		return l
	}
	l.Y += d.pitch - laneHeight - 4
	l.NameX, l.NameY, l.Anchor = 0, l.Y-5, "start"
	return l
}

// short is a name that fits beside its lane; its end tells servers apart.
func (d drawing) short(name string) string {
	room := int((d.names - nameMargin) / (d.letter + 1))
	if d.names == 0 || len(name) <= room {
		return name
	}
	return name[:room/2] + "…" + name[len(name)-room/2+1:]
}

// merged draws bars that nobody could tell apart as one.
func merged(bars []stripBar) []stripBar {
	var all []stripBar
	for _, b := range bars {
		b.count = 1
		if n := len(all); n > 0 && all[n-1].Class == b.Class && b.W <= leastWidth && b.X < all[n-1].X+all[n-1].W+leastApart {
			last := &all[n-1]
			last.W = max(last.W, round(b.X+b.W-last.X))
			last.count++
			last.Title = fmt.Sprintf("%d times here; the table tells of each", last.count)
			continue
		}
		all = append(all, b)
	}
	return all
}

func (d drawing) x(t time.Time) float64 {
	return round(d.names + float64(t.Sub(d.h.Since))*d.scale)
}

// bar is a span of time, wide enough to be seen.
func (d drawing) bar(from, to time.Time) (x, w float64) {
	x = d.x(from)
	w = max(leastWidth, d.x(to)-x)
	return min(x, d.width-w), round(w)
}

func round(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

func (d drawing) bands(server string) []stripBar {
	var bars []stripBar
	for _, b := range d.h.Bands {
		if b.Server != server {
			continue
		}
		x, w := d.bar(b.From, b.To)
		bars = append(bars, stripBar{
			X: x, W: w, Class: "band",
			Title: fmt.Sprintf("%s Active for %s, epoch %d, from %s to %s", server, span(b.Length()), b.Epoch, clockText(b.From), until(b.Open, b.To)),
		})
	}
	return bars
}

// gaps are the bars in the lane of nobody; where it is not known whether the
// Active still lived, the bar is a dashed one.
func (d drawing) gaps() []stripBar {
	var bars []stripBar
	for _, g := range d.h.Gaps {
		title := fmt.Sprintf("Nobody Active for %s: %s, until %s", gapLength(g), gapReason(g), until(g.Open, g.To))
		class := "gap"
		if g.Planned {
			class = "gap-planned"
		}
		if x, w := d.bar(g.From, g.Latest); g.Latest.After(g.From) && w > leastWidth {
			bars = append(bars, stripBar{X: x, W: w, Class: "unknown", Title: title})
		}
		x, w := d.bar(g.Latest, g.To)
		bars = append(bars, stripBar{X: x, W: w, Class: class, Title: title})
	}
	return bars
}

// labels stand beside the gaps where there is room: with the reason, or else with
// the length alone.
func (d drawing) labels(y float64) []stripLabel {
	var labels []stripLabel
	free := d.names // where the gap before ends, with its label
	for i, g := range d.h.Gaps {
		from, w := d.bar(g.From, g.To)
		to, next := from+w, d.width
		if i+1 < len(d.h.Gaps) {
			next = d.x(d.h.Gaps[i+1].From)
		}
		label := stripLabel{Y: y, Planned: g.Planned}
		for _, label.Text = range []string{gapLength(g) + ", " + gapReason(g), gapLength(g)} {
			width := float64(utf8.RuneCountInString(label.Text)) * d.letter
			if to+labelMargin/2+width < next-labelMargin {
				label.X, label.Anchor = to+labelMargin/2, "start"
				to = label.X + width
			} else if from-labelMargin/2-width > free+labelMargin {
				label.X, label.Anchor = from-labelMargin/2, "end"
			}
			if label.Anchor != "" {
				labels = append(labels, label)
				break
			}
		}
		free = max(free, to)
	}
	return labels
}

func (d drawing) ticks(w window) []stripTick {
	step := w.tick
	for d.h.Until.Sub(d.h.Since)/step > time.Duration(d.layout.ticks) {
		step *= 2
	}
	var ticks []stripTick
	for t := d.h.Since.UTC().Truncate(step).Add(step); t.Before(d.h.Until); t = t.Add(step) {
		if x := d.x(t); x < d.width-40 && x > d.names+10 {
			form := w.form
			if t.Truncate(24 * time.Hour).Equal(t) {
				form = "2 Jan" // a day begins
			}
			ticks = append(ticks, stripTick{x, t.Format(form)})
		}
	}
	return ticks
}
