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

// strip is a history as a drawing: a lane per server, one for nobody.
type strip struct {
	Pictures []picture // of the same: a wide one, and one for a phone
	History  availability.History
	Rows     []stripRow // the same, newest first, for those who do not see it
	More     int        // that many older rows are left out
	Brief    string     // what the drawing shows, in a sentence
	Unsure   bool       // some gap's begin is not known exactly
	Marked   bool       // some document was applied
}

// stripRows is how many lines the table has: a server that restarts again and
// again makes no endless page.
const stripRows = 60

// stripRow is one line of the table that says the same.
type stripRow struct {
	From, To time.Time
	Within   string // how much later than From it may have begun; "" = it did not
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

// stripCache keeps a picture until something in it changes, or a minute passes
// (seconds, while nobody is Active):
// the live page of a connector asks for it once a second.
type stripCache struct {
	key string
	s   strip
}

func (p *stripCache) get(ctx context.Context, c *Console, k overview.Connector, now time.Time, w window) (strip, error) {
	gone, every := "", time.Minute
	if k.Active == "" || k.Dead() {
		gone, every = fmt.Sprint(k.Holder, k.Heard), 5*time.Second // what the open gap begins with; it grows
	}
	key := fmt.Sprint(k.Epoch, k.Active, gone, k.Settings.Version, k.ActiveSince, k.Order(), now.Truncate(every))
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
	s := strip{History: h, Rows: rowsOf(h), Brief: brief(h, w), Marked: len(h.Documents) > 0}
	if s.More = max(0, len(s.Rows)-stripRows); s.More > 0 {
		s.Rows = s.Rows[:stripRows]
	}
	for _, g := range h.Gaps {
		s.Unsure = s.Unsure || g.Latest.After(g.From)
	}
	for _, l := range []layout{wide, narrow} {
		s.Pictures = append(s.Pictures, draw(h, w, l))
	}
	return s
}

// rowsOf lists bands and gaps, the newest first.
func rowsOf(h availability.History) []stripRow {
	var rows []stripRow
	b, g := len(h.Bands)-1, len(h.Gaps)-1
	for b >= 0 || g >= 0 {
		if g < 0 || b >= 0 && !h.Bands[b].From.Before(h.Gaps[g].From) {
			band := h.Bands[b]
			rows = append(rows, stripRow{From: band.From, To: band.To, Server: band.Server, Epoch: band.Epoch, Length: span(band.Length()), Open: band.Open, Earlier: band.Earlier})
			b--
			continue
		}
		gap := h.Gaps[g]
		row := stripRow{From: gap.From, To: gap.To, Length: gapLength(gap), Reason: gapReason(gap), Open: gap.Open, Bad: !gap.Planned}
		if gap.Latest.After(gap.From) {
			row.Within = span(gap.Latest.Sub(gap.From))
		}
		rows = append(rows, row)
		g--
	}
	return rows
}

// brief says what the drawing shows.
func brief(h availability.History, w window) string {
	last := strings.TrimPrefix(w.Name, "1 ")
	if len(h.Bands) == 0 {
		return "Nobody was Active in the last " + last + "."
	}
	text := fmt.Sprintf("In the last %s the Active did not change.", last)
	if len(h.Gaps) > 0 {
		text = fmt.Sprintf("In the last %s nobody was Active %s, %s; %s in all.",
			last, times(len(h.Gaps)), unplanned(h.Gaps), lengthOf(h.Gaps))
	}
	if !h.Complete {
		text += " Older changes are not in the picture: there were too many."
	}
	return text
}

func times(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return number(n) + " times"
}

func unplanned(gaps []availability.Gap) string {
	n := 0
	for _, g := range gaps {
		if !g.Planned {
			n++
		}
	}
	switch n {
	case 0:
		return "as planned"
	case len(gaps):
		return "unplanned"
	}
	return number(n) + " of them unplanned"
}

// lengthOf is how long gaps lasted in all.
func lengthOf(gaps []availability.Gap) string {
	sum := gaps[0]
	sum.From, sum.Latest, sum.Unknown = sum.To, sum.To, false
	for _, g := range gaps {
		sum.From, sum.Latest = sum.From.Add(-g.Most()), sum.Latest.Add(-g.Least())
		sum.Unknown = sum.Unknown || g.Unknown
	}
	return gapLength(sum)
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

// gapLength is how long a gap lasted. Where its begin is not known exactly, the
// text says so.
func gapLength(g availability.Gap) string {
	least, most := span(g.Least()), span(g.Most())
	switch {
	case g.Unknown && g.Most() <= 0:
		return "an unknown time"
	case g.Unknown:
		return "at least " + least
	case least == most:
		return most
	case g.Least() <= 0:
		return "at most " + most
	default:
		return least + " to " + most
	}
}

func clockText(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05 MST") }

func until(open bool, t time.Time) string {
	if open {
		return "now"
	}
	return clockText(t)
}
