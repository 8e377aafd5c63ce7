package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tieline/internal/ha"
	"tieline/internal/service/availability"
	"tieline/internal/service/overview"
)

// window is how far back a history reaches.
type window struct {
	Key, Name string
	Length    time.Duration
	tick      time.Duration
	form      string // of a tick's label
}

var windows = []window{
	{"1h", "1 hour", time.Hour, 10 * time.Minute, "15:04"},
	{"24h", "24 hours", 24 * time.Hour, 3 * time.Hour, "15:04"},
	{"7d", "7 days", 7 * 24 * time.Hour, 24 * time.Hour, "2 Jan"},
	{"30d", "30 days", 30 * 24 * time.Hour, 5 * 24 * time.Hour, "2 Jan"},
}

// windowOf is the window that an address asks for; the last day when it asks
// for none.
func windowOf(r *http.Request) window {
	for _, w := range windows {
		if r.URL.Query().Get("window") == w.Key {
			return w
		}
	}
	return windows[1]
}

// Sizes of the strip, in units of its viewBox.
const (
	stripWidth  = 1000
	stripNames  = 130 // the column of names
	stripTop    = 16  // above the lanes: the marks of documents
	laneHeight  = 20
	lanePitch   = 28
	stripFoot   = 24 // below: the labels of time
	leastWidth  = 2.5
	labelWidth  = 6.2 // of a letter, about
	labelMargin = 8
)

// strip is a history as a drawing: a lane per server, one for nobody.
type strip struct {
	Height  float64
	Lanes   []stripLane
	Ticks   []stripTick
	Marks   []stripMark
	History availability.History
	Rows    []stripRow // the same, newest first, for those who do not see it
	Window  string
	Name    string // of the window
	Brief   string // what the drawing shows, in a sentence
}

type stripLane struct {
	Name   string
	Y      float64
	Nobody bool
	Bands  []stripBar
}

type stripBar struct {
	X, W    float64
	Class   string
	Title   string
	Label   string  // beside it; "" = there is no room, or no need
	LabelX  float64 //
	LabelAt string  // text-anchor
}

type stripTick struct {
	X     float64
	Label string
}

type stripMark struct {
	X     float64
	Title string
}

// stripRow is one line of the table that says the same.
type stripRow struct {
	From, To time.Time
	Server   string // "" = nobody
	Epoch    int64
	Length   string
	Reason   string
	Open     bool
	Earlier  bool
	Bad      bool
}

// strip draws a connector's history.
func (c *Console) strip(ctx context.Context, k overview.Connector, now time.Time, w window) (strip, error) {
	h, err := c.Services.Availability.History(ctx, k, now, w.Length)
	if err != nil {
		return strip{}, err
	}
	return drawStrip(h, w), nil
}

// stripCache keeps a picture until something in it changes, or a minute passes:
// the live page of a connector asks for it once a second.
type stripCache struct {
	key string
	s   strip
}

func (p *stripCache) get(ctx context.Context, c *Console, k overview.Connector, now time.Time, w window) (strip, error) {
	key := fmt.Sprint(k.Epoch, k.Active, k.Settings.Version, k.ActiveSince, k.Order(), now.Truncate(time.Minute))
	if key == p.key {
		return p.s, nil
	}
	s, err := c.strip(ctx, k, now, w)
	if err == nil {
		p.key, p.s = key, s
	}
	return s, err
}

func drawStrip(h availability.History, w window) strip {
	d := drawing{h: h, scale: (stripWidth - stripNames) / float64(h.Until.Sub(h.Since))}
	s := strip{History: h, Window: w.Key, Name: w.Name, Ticks: d.ticks(w)}
	for i, server := range h.Servers {
		s.Lanes = append(s.Lanes, stripLane{Name: server, Y: stripTop + float64(i)*lanePitch, Bands: d.bands(server)})
	}
	s.Lanes = append(s.Lanes, stripLane{Name: "nobody", Y: stripTop + float64(len(h.Servers))*lanePitch, Nobody: true, Bands: d.gaps()})
	s.Height = stripTop + float64(len(s.Lanes))*lanePitch + stripFoot
	for _, doc := range h.Documents {
		s.Marks = append(s.Marks, stripMark{d.x(doc.At), fmt.Sprintf("Document version %d by %s, %s", doc.Version, doc.Who, doc.At.UTC().Format(stampForm))})
	}
	s.Rows = d.rows()
	s.Brief = d.brief(w)
	return s
}

// Foot is where the lanes end; Labels where the times stand; TextY where a lane's
// texts stand.
func (s strip) Foot() float64      { return s.Height - stripFoot }
func (s strip) Labels() float64    { return s.Height - stripFoot/3 }
func (l stripLane) TextY() float64 { return l.Y + laneHeight - 5.5 }

// drawing turns times into places.
type drawing struct {
	h     availability.History
	scale float64 // units per nanosecond
}

func (d drawing) x(t time.Time) float64 {
	return round(stripNames + float64(t.Sub(d.h.Since))*d.scale)
}

// bar is a span of time, wide enough to be seen.
func (d drawing) bar(from, to time.Time) (x, w float64) {
	x = d.x(from)
	w = max(leastWidth, d.x(to)-x)
	return min(x, stripWidth-w), round(w)
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

// gaps are the lane of nobody. A label stands beside its gap where there is room.
func (d drawing) gaps() []stripBar {
	var bars []stripBar
	free := float64(stripNames)
	for i, g := range d.h.Gaps {
		x, w := d.bar(g.From, g.To)
		b := stripBar{X: x, W: w, Class: "gap", Title: fmt.Sprintf("Nobody Active for %s: %s, until %s", gapLength(g), gapReason(g), until(g.Open, g.To))}
		if g.Planned {
			b.Class = "gap-planned"
		}
		label := gapLength(g) + ", " + string(g.Reason)
		width := float64(len(label)) * labelWidth
		next := float64(stripWidth)
		if i+1 < len(d.h.Gaps) {
			next = d.x(d.h.Gaps[i+1].From)
		}
		switch {
		case g.Planned && g.Length() < time.Second: // a mark is enough
			free = max(free, x+w)
		case x+w+labelMargin/2+width < next-labelMargin:
			b.Label, b.LabelX, b.LabelAt = label, x+w+labelMargin/2, "start"
			free = x + w + labelMargin/2 + width
		case x-labelMargin/2-width > free+labelMargin:
			b.Label, b.LabelX, b.LabelAt = label, x-labelMargin/2, "end"
			free = x + w
		default:
			free = max(free, x+w)
		}
		bars = append(bars, b)
	}
	return bars
}

func (d drawing) ticks(w window) []stripTick {
	var ticks []stripTick
	for t := d.h.Since.UTC().Truncate(w.tick).Add(w.tick); t.Before(d.h.Until); t = t.Add(w.tick) {
		if x := d.x(t); x < stripWidth-20 && x > stripNames+10 {
			ticks = append(ticks, stripTick{x, t.Format(w.form)})
		}
	}
	return ticks
}

// rows list bands and gaps, the newest first.
func (d drawing) rows() []stripRow {
	var rows []stripRow
	b, g := len(d.h.Bands)-1, len(d.h.Gaps)-1
	for b >= 0 || g >= 0 {
		if g < 0 || b >= 0 && !d.h.Bands[b].From.Before(d.h.Gaps[g].From) {
			band := d.h.Bands[b]
			rows = append(rows, stripRow{From: band.From, To: band.To, Server: band.Server, Epoch: band.Epoch, Length: span(band.Length()), Open: band.Open, Earlier: band.Earlier})
			b--
			continue
		}
		gap := d.h.Gaps[g]
		rows = append(rows, stripRow{From: gap.From, To: gap.To, Length: gapLength(gap), Reason: gapReason(gap), Open: gap.Open, Bad: !gap.Planned})
		g--
	}
	return rows
}

// brief says what the drawing shows.
func (d drawing) brief(w window) string {
	var away time.Duration
	unplanned := 0
	for _, g := range d.h.Gaps {
		away += g.Length()
		if !g.Planned {
			unplanned++
		}
	}
	if len(d.h.Bands) == 0 {
		return "Nobody was Active in the last " + w.Name + "."
	}
	text := fmt.Sprintf("In the last %s: %s, %s of them unplanned; nobody was Active for %s in all.",
		w.Name, plural(len(d.h.Gaps), "change of Active", "changes of Active"), number(unplanned), span(away))
	if len(d.h.Gaps) == 0 {
		text = fmt.Sprintf("In the last %s the Active did not change.", w.Name)
	}
	if !d.h.Complete {
		text += " Older changes are not in the picture: there were too many."
	}
	return text
}

// gapReason says in words why nobody was Active.
func gapReason(g availability.Gap) string {
	of := g.Of
	if of == "" {
		of = "the Active"
	}
	switch g.Reason {
	case ha.ReasonPresence:
		return of + "'s process died"
	case ha.ReasonSilence:
		return of + " fell silent"
	case ha.ReasonRestart:
		return of + " restarted"
	case ha.ReasonStop:
		return of + " was stopped"
	case ha.ReasonWish:
		return "handed over by an operator"
	case ha.ReasonFailback:
		return "failback"
	case ha.ReasonRemote:
		return of + " could not reach the remote system"
	case ha.ReasonIneligible:
		return of + " could not run the document"
	case ha.ReasonFailed:
		return of + "'s work failed"
	case ha.ReasonIdentity:
		return "the database's history changed"
	default:
		return strings.TrimSpace(string(g.Reason))
	}
}

// gapLength is how long, with what is inferred said so.
func gapLength(g availability.Gap) string {
	switch {
	case g.About && g.Length() <= 0:
		return "an unknown time"
	case g.About:
		return "about " + span(g.Length())
	default:
		return span(g.Length())
	}
}

func clockText(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 MST") }

func until(open bool, t time.Time) string {
	if open {
		return "now"
	}
	return clockText(t)
}
