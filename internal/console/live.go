package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tieline/internal/fault"
	"tieline/internal/service/overview"
)

// livePage is a page that keeps itself up to date: its panels are rendered again
// from each new state, and sent where they changed.
type livePage struct {
	template string
	panels   []string // templates, each of one element whose id is the panel's name
	// data returns what the panels show. It asks the database nothing that the
	// state has not: what it must ask, it asks when the state says it changed.
	data func(overview.State) (any, error)
}

// liveRoute opens the live page of a page's request.
type liveRoute struct {
	pattern string // the page's
	open    func(r *http.Request) livePage
}

// liveRoutes is the table of live pages.
func (c *Console) liveRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, list := range [][]liveRoute{c.overviewLive(), c.availabilityLive(), c.serversLive(), c.historyLive(), c.alertLive(), c.draftLive()} {
		for _, route := range list {
			mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
				w.(*liveTarget).page = route.open(r)
			})
		}
	}
	return mux
}

// liveTarget is what the table answers with: the page instead of a response.
type liveTarget struct {
	http.ResponseWriter
	page livePage
}

// Header and WriteHeader take what the mux answers about an unknown page.
func (t *liveTarget) Header() http.Header       { return http.Header{} }
func (t *liveTarget) WriteHeader(int)           {}
func (t *liveTarget) Write([]byte) (int, error) { return 0, nil }

// watched finds the live page that a stream asks for. A page without panels of
// its own may still have lists that are loaded again when their subject changed;
// then the stream says since when ("since", see live.js).
func (c *Console) watched(r *http.Request) (livePage, error) {
	u, err := url.Parse(localPath(r.FormValue("page")))
	if err != nil {
		return livePage{}, fault.Wrap(fault.Invalid, err, "the page to watch is no address")
	}
	of := r.Clone(r.Context())
	of.Method, of.URL, of.RequestURI, of.Form = http.MethodGet, u, u.RequestURI(), nil
	target := &liveTarget{}
	c.live.ServeHTTP(target, of)
	if target.page.data == nil && !r.Form.Has("since") {
		return livePage{}, fault.New(fault.NotFound, "the page "+u.Path+" has nothing to watch")
	}
	return target.page, nil
}

// message is one event of a stream.
type message struct {
	Now    int64             `json:"now"`              // the database's clock, ms since 1970
	Away   string            `json:"away,omitempty"`   // why the database does not answer
	Since  string            `json:"since,omitempty"`  // since when
	Gone   string            `json:"gone,omitempty"`   // why it is the management group's no more: sentences
	Panels map[string]string `json:"panels,omitempty"` // those that changed, by their element's id
	// Topics are the subjects of lists that changed.
	Topics []overview.Subject `json:"topics,omitempty"`
}

// stream sends a page's panels as they change, as server-sent events, until the
// browser leaves, the console closes or the guard wants to look at the session
// again; the browser then comes back by itself.
func (c *Console) stream(w http.ResponseWriter, r *http.Request) {
	page, err := c.watched(r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	out := http.NewResponseController(w)
	_ = out.SetWriteDeadline(time.Time{}) // a stream outlives what a page may take
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that collects the answer would hold the events back
	fmt.Fprint(w, "retry: 1000\n\n")
	watcher := c.Services.Overview.Hub().Watch()
	defer watcher.Close()
	s := &streamer{console: c, page: page, sent: map[string]string{}, told: toldSince(r.FormValue("since"))}
	for {
		if err := s.send(w, watcher.State()); err != nil || out.Flush() != nil {
			return // the browser has left
		}
		select {
		case <-r.Context().Done():
			return
		case <-c.closing.Done():
			return
		case <-watcher.Changed:
		}
	}
}

// streamer remembers what a browser was sent.
type streamer struct {
	console *Console
	page    livePage
	seq     uint64
	sent    map[string]string // by panel
	told    time.Time         // what changed later was not told; zero = nothing is to be told
}

// lateness is how much earlier than it says a page may have been made: its clock
// is read when its data has been.
const lateness = time.Second

// toldSince reads since when a page is to be told of changes, in ms since 1970 by
// the database's clock; zero when it does not want to be told.
func toldSince(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(ms).Add(-lateness)
}

// send writes one event about a state that is new.
func (s *streamer) send(w http.ResponseWriter, state overview.State) error {
	if state.Seq == s.seq {
		return nil
	}
	s.seq = state.Seq
	m := message{Now: s.console.Services.Overview.Now().UnixMilli()}
	if !state.Away.IsZero() {
		m.Away, m.Since = state.AwayReason(), state.Away.Format("15:04:05 MST")
		m.Gone = goneOf(state.Err)
	} else if state.Snapshot != nil {
		m.Panels, m.Topics = s.changed(state), s.topics(state)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "data: %s\n\n", text)
	return err
}

// goneOf says that the management group was moved to another database; "" where the
// database is just away.
func goneOf(err error) string {
	var moved *fault.Error
	if !errors.As(err, &moved) || moved.Kind != fault.Refused {
		return ""
	}
	return capital(moved.Msg) + ". " + nextStep(moved)
}

// changed renders the panels and returns those that differ from what was sent.
func (s *streamer) changed(state overview.State) map[string]string {
	if s.page.data == nil {
		return nil
	}
	data, err := s.page.data(state)
	if err != nil {
		return nil // what stands on the page stays; a reload tells why
	}
	changed := map[string]string{}
	for _, name := range s.page.panels {
		html, err := s.console.templates.panel(s.page.template, name, data)
		if err != nil {
			s.console.Log.Error("a panel could not be rendered", "page", s.page.template, "err", err)
			continue
		}
		if s.sent[name] != html {
			s.sent[name], changed[name] = html, html
		}
	}
	return changed
}

// topics returns the subjects that changed since the browser was told.
func (s *streamer) topics(state overview.State) []overview.Subject {
	if s.told.IsZero() {
		return nil
	}
	var topics []overview.Subject
	for subject, at := range state.Changed {
		if at.After(s.told) {
			topics = append(topics, subject)
		}
	}
	slices.Sort(topics)
	s.told = state.Snapshot.At
	return topics
}

// livePanel is the frame of a panel that is rendered alone.
func (c *Console) livePanel(r *http.Request, now time.Time) Page {
	p := c.page(nil, r, "", "")
	p.Panel, p.Live, p.Now = true, true, now
	return p
}
