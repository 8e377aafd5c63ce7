package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/forward"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// document is one connector's current document as this program understands it.
type document struct {
	name     string
	version  int64
	compiled *connector.Compiled // nil when problem is not
	problem  error
}

// compile reads a stored document. One that was valid when it was applied may
// not be for this program, when it is older or newer than the one that checked it.
func compile(d store.StoredDocument) document {
	doc := document{name: d.Connector, version: d.Version}
	parsed, err := connector.Parse([]byte(d.Text), CheckKinds)
	if err == nil {
		doc.compiled, err = connector.Compile(parsed)
	}
	if err != nil {
		doc.problem = fault.Wrap(fault.Invalid, err, fmt.Sprintf("version %s cannot run version %d of the document: %s",
			Version(), d.Version, fault.Message(err)))
	}
	return doc
}

// load reads the documents at start.
func (a *App) load(ctx context.Context) error {
	a.units = newUnits()
	a.openIntake()
	return a.applyDocuments(ctx, func(context.Context) error { return nil }) // it joined just now
}

// applyDocuments brings this server to the current documents. Only load and
// followDocuments call it, one after the other.
func (a *App) applyDocuments(ctx context.Context, join func(context.Context) error) error {
	stored, generation, err := a.db.Documents(ctx)
	if err != nil {
		return err
	}
	all, added := a.understand(stored)
	a.documents.Store(&all)
	a.route(generation, all)
	if added {
		if err := join(ctx); fault.KindOf(err) == fault.Refused {
			a.decline(all, err)
		} else if err != nil {
			return err
		}
	}
	for _, doc := range all {
		a.applyTo(doc)
	}
	return nil
}

// decline leaves out the connectors of which this server could not become a
// member, until their documents change.
func (a *App) decline(all []document, err error) {
	for _, doc := range all {
		if a.units.get(doc.name) == nil && serves(a.cfg.Connectors, doc.name) && a.units.decline(doc.name, doc.version) {
			a.log.Error("a new connector is not served here", "connector", doc.name, "err", err)
		}
	}
}

// understand compiles the documents that are new, and tells whether one is of a
// connector that this server does not serve yet, but should.
func (a *App) understand(stored []store.StoredDocument) (all []document, added bool) {
	before := a.known()
	for _, s := range stored {
		i := slices.IndexFunc(before, func(d document) bool { return d.name == s.Connector && d.version == s.Version })
		if i >= 0 {
			all = append(all, before[i])
		} else {
			all = append(all, compile(s))
		}
		added = added || a.units.get(s.Connector) == nil && serves(a.cfg.Connectors, s.Connector)
	}
	return all, added
}

// known returns the documents as last applied, by connector.
func (a *App) known() []document {
	if all := a.documents.Load(); all != nil {
		return *all
	}
	return nil
}

// applyTo puts a document to work where this server serves its connector.
func (a *App) applyTo(doc document) {
	if !serves(a.cfg.Connectors, doc.name) || a.units.declined(doc.name) >= doc.version {
		return
	}
	u := a.units.get(doc.name)
	if u == nil {
		u = a.newUnit(doc.name)
		u.install(doc, a.agent())
		a.units.add(u)
		return
	}
	// What could not be run is tried again: a secret may be there by now.
	if version, ok := u.runs(); version != doc.version || !ok {
		u.install(doc, a.agent())
	}
}

func (a *App) newUnit(name string) *unit {
	u := &unit{name: name, slot: newSlot(), log: a.log}
	u.forwarder = forward.New(forward.Config{
		Connector: name, Group: a.group.ID, Store: a.db, Setups: u.slot, Log: a.log,
		Accept: func(ctx context.Context, found []alert.Observation) error {
			_, err := a.gate.Accept(ctx, found)
			return err
		},
		Announce: func() { a.db.Wake(context.Background(), store.TopicWork(name)) },
		Idle:     -1, // each heartbeat tells what is due, for all connectors at once: wakeWaiting
		Observer: forward.Observer{
			Carried: func(_ forward.Op, r forward.Result, _ time.Duration) {
				a.metrics.Delivery(name, string(r))
				u.pace.count(r)
			},
			Delivered: func(took time.Duration) { a.metrics.Delivered(name, took) },
		},
	})
	return u
}

// agent names this server to remotes.
func (a *App) agent() string { return fmt.Sprintf("tieline/%s (%s)", Version(), a.cfg.Server) }

// documentsTime bounds one reading of the documents.
const documentsTime = 10 * time.Second

// followDocuments applies each change of the documents until ctx ends. It is
// told by a wake-up, by the group that each heartbeat reads, and by a request
// that names a source nobody knows.
func (a *App) followDocuments(ctx context.Context) {
	for {
		var asked chan struct{}
		select {
		case <-ctx.Done():
			return
		case <-a.look:
		case asked = <-a.asked:
		}
		a.refreshDocuments(ctx)
		if asked != nil {
			close(asked)
		}
	}
}

func (a *App) refreshDocuments(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, documentsTime)
	defer cancel()
	err := a.applyDocuments(reading, func(ctx context.Context) error {
		return a.db.JoinConnectors(ctx, a.cfg.Server, a.boot, a.cfg.Connectors)
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		a.log.Warn("the documents were not read; the next heartbeat tries again", "err", err)
	default:
		poke(a.woken) // the group has other settings, and perhaps other members
		a.announce()
	}
}

// differ reports whether a reading of the group shows documents that this
// server does not run in that version, but could.
func (a *App) differ(g ha.Group) bool {
	for name, s := range g.Settings {
		if !serves(a.cfg.Connectors, name) {
			continue
		}
		version := a.units.declined(name)
		if u := a.units.get(name); u != nil {
			version, _ = u.runs()
		}
		if version < s.Version {
			return true
		}
	}
	return false
}
