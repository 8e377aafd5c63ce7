package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/remote"
	"tieline/internal/source"
)

// unit is one connector that this server serves: its forwarder, and the
// document it runs.
type unit struct {
	name      string
	slot      *slot
	forwarder *forward.Forwarder
	log       *slog.Logger
	pace      pace

	mu      sync.Mutex
	version int64          // of the newest document seen
	setup   *forward.Setup // nil = this server cannot run that version
	problem string         // why not; safe for people
	reach   reach          // of the latest probe
}

// reach is what a probe found.
type reach struct {
	known  bool
	ok     bool
	reason string
}

// install makes a setup of a compiled document and puts it to work. A document
// that this server cannot run takes the connector out of service here: the
// server is not eligible, and says why.
func (u *unit) install(doc document, agent string) {
	setup, err := newSetup(doc, agent, u.log)
	problem := ""
	if err != nil {
		problem = fault.Message(err)
	}
	u.mu.Lock()
	fresh := u.version != doc.version || u.problem != problem // it is tried again and again
	u.version, u.setup, u.problem, u.reach = doc.version, setup, problem, reach{}
	u.mu.Unlock()
	if err != nil && fresh {
		u.log.Error("the document cannot be run here", "connector", u.name, "version", doc.version, "err", err)
	}
	u.slot.set(setup)
}

// runs returns the version seen, and whether it is at work.
func (u *unit) runs() (version int64, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.version, u.setup != nil
}

// report is what the runner tells the others. A remote that was not probed yet
// counts as reached: nothing speaks against this server.
func (u *unit) report() ha.Report {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := ha.Report{Connector: u.name, Eligible: u.setup != nil, Reaches: u.reach.ok || !u.reach.known, Reason: u.problem}
	if r.Eligible {
		r.Runs, r.Reason = u.version, u.reach.reason
		if since := u.forwarder.BreakerSince(); !since.IsZero() {
			r.Reason = strings.TrimPrefix(r.Reason+"; "+breakerOpen(since), "; ")
		}
	}
	return r
}

// breakerOpen says that the remote's breaker is not closed, and since when.
func breakerOpen(since time.Time) string {
	return fmt.Sprintf("the remote's breaker is open since %s (by its server's clock): calls fail, and one alert is tried per opening",
		since.UTC().Format("15:04:05Z"))
}

// adapter returns the remote that is at work, nil when none is.
func (u *unit) adapter() (a remote.Adapter, timeout time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.setup == nil {
		return nil, 0
	}
	return u.setup.Remote, time.Duration(u.setup.Mapping.Limits().Timeout)
}

// probed notes what a probe of the adapter found, unless another one is at work
// by now. It reports whether that is a change worth telling at once.
func (u *unit) probed(a remote.Adapter, err error) (changed bool) {
	next := reach{known: true, ok: true}
	if f := remote.AsFailure(err); err != nil {
		// 5xx and 429 answers do not count: the remote is there (rule L7).
		next.ok, next.reason = !f.Connect, f.Msg
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.setup == nil || u.setup.Remote != a {
		return false
	}
	before := u.reach
	u.reach = next
	return before.ok != next.ok || !before.known
}

// newSetup builds the adapters of a document.
func newSetup(doc document, agent string, log *slog.Logger) (*forward.Setup, error) {
	if doc.problem != nil {
		return nil, doc.problem
	}
	d := doc.compiled.Document()
	settings := remoteSettings(d)
	settings.Agent, settings.Log = agent, log.With("connector", d.Name)
	adapter, err := remotes[d.Remote.Kind].New(settings)
	if err != nil {
		return nil, err
	}
	setup := &forward.Setup{Version: doc.version, Mapping: doc.compiled, Remote: adapter, Poll: time.Duration(d.Remote.Poll)}
	for i, s := range d.Sources {
		parts, err := newSource(s, fmt.Sprintf("sources[%d]", i))
		if err != nil {
			return nil, err
		}
		setup.Sources = append(setup.Sources, forward.SourceSetup{
			Name: s.Name, Writer: parts.Writer, Lister: parts.Lister, Compare: time.Duration(s.Compare),
		})
	}
	return setup, nil
}

func newSource(s connector.Source, path string) (source.Parts, error) {
	token, err := s.APIToken.Resolve()
	if err != nil {
		return source.Parts{}, fault.InvalidInput("source "+s.Name+" cannot be set up",
			[]fault.Problem{{Path: path + ".api_token", Message: err.Error()}})
	}
	return sources[s.Kind].New(source.Settings{Name: s.Name, URL: s.URL, Token: token, Values: s.Settings})
}

// probe asks the remote every so often whether it can be reached, until ctx ends.
func (u *unit) probe(ctx context.Context, changed func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		_, another := u.slot.Setup()
		select {
		case <-ctx.Done():
			return
		case <-another: // a new setup is asked at once
		case <-timer.C:
		}
		if adapter, timeout := u.adapter(); adapter != nil {
			asking, cancel := context.WithTimeout(ctx, timeout)
			err := adapter.Probe(asking)
			cancel()
			if ctx.Err() == nil && u.probed(adapter, err) {
				changed()
			}
		}
		timer.Reset(probeEvery)
	}
}

// probeEvery is the time between two probes of a remote.
const probeEvery = 10 * time.Second
