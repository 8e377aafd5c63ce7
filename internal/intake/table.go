package intake

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/secret"
	"tieline/internal/source"
)

// Door is where one source's requests come in.
type Door struct {
	Source  string
	Adapter source.Adapter
	Token   secret.String // what senders must present; zero = nothing
	Problem string        // why nothing can be taken in here; "" = it can
}

// Table is every connector's document of one generation, as intake uses them.
// It is immutable.
type Table struct {
	Generation int64
	// Broken names connectors whose documents this server cannot run. Alerts are
	// then stamped as evaluated with older documents, and the Sweeper rests here.
	Broken []string

	bySource map[string][]*connector.Compiled
	doors    map[string]Door
	notice   func(connector, reason string)
}

// TableConfig is what a Table is made of.
type TableConfig struct {
	Generation int64
	Connectors []*connector.Compiled
	Broken     []string
	Kinds      map[string]source.Kind
	Resolve    func(secret.Ref) (secret.String, error) // nil = secret.Ref.Resolve
	Log        *slog.Logger                            // nil = silent
}

// NewTable builds the doors and routes of the connectors. What is wrong with one
// source closes that source's door and is logged; it hinders nothing else.
func NewTable(cfg TableConfig) *Table {
	if cfg.Resolve == nil {
		cfg.Resolve = secret.Ref.Resolve
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	t := &Table{
		Generation: cfg.Generation, Broken: cfg.Broken,
		bySource: make(map[string][]*connector.Compiled), doors: make(map[string]Door),
		notice: func(connector, reason string) {
			cfg.Log.Debug("an alert was not evaluated", "connector", connector, "reason", reason)
		},
	}
	ordered := slices.SortedFunc(slices.Values(cfg.Connectors), func(a, b *connector.Compiled) int {
		return strings.Compare(a.Name(), b.Name())
	})
	listed := make(map[string]connector.Source)
	for _, c := range ordered {
		for _, s := range c.Document().Sources {
			t.bySource[s.Name] = append(t.bySource[s.Name], c)
			first, again := listed[s.Name]
			if again && !agree(first, s) {
				cfg.Log.Error("two connectors describe a source differently; nothing of it is taken in", "source", s.Name, "connector", c.Name())
				t.doors[s.Name] = Door{Source: s.Name, Problem: "two connectors describe it differently"}
			}
			if again {
				continue
			}
			listed[s.Name] = s
			t.doors[s.Name] = t.open(cfg, s)
		}
	}
	return t
}

// agree reports whether two connectors mean the same source. What only the
// forwarding uses may differ.
func agree(a, b connector.Source) bool { return a.Kind == b.Kind && a.Token == b.Token }

// CheckSources finds sources that connectors of the group describe differently.
// It is run before a document is applied.
func CheckSources(doc *connector.Document, others []*connector.Document) []fault.Problem {
	var problems []fault.Problem
	for i, s := range doc.Sources {
		for _, other := range others {
			for _, o := range other.Sources {
				if other.Name != doc.Name && o.Name == s.Name && !agree(o, s) {
					problems = append(problems, fault.Problem{
						Path:    fmt.Sprintf("sources[%d]", i),
						Message: fmt.Sprintf("connector %s lists source %s with another kind or token; a source has one of each", other.Name, s.Name),
					})
				}
			}
		}
	}
	return problems
}

// open builds a source's door. A token that cannot be read closes it: to take
// alerts in from anybody instead would be worse.
func (t *Table) open(cfg TableConfig, s connector.Source) Door {
	door := Door{Source: s.Name}
	fail := func(problem string, err error) Door {
		cfg.Log.Error("a source cannot be taken in from", "source", s.Name, "err", err)
		door.Problem = problem
		return door
	}
	kind, ok := cfg.Kinds[s.Kind]
	if !ok {
		return fail("its kind is not known", fmt.Errorf("no kind %q", s.Kind))
	}
	// The adapter is for parsing alone: no address, no credentials.
	parts, err := kind.New(source.Settings{Name: s.Name, Values: s.Settings})
	if err != nil {
		return fail("its settings cannot be used", err)
	}
	door.Adapter = parts.Adapter
	if door.Token, err = cfg.Resolve(s.Token); err != nil {
		return fail("its token cannot be read", err)
	}
	return door
}

// Door returns a source's door.
func (t *Table) Door(name string) (Door, bool) {
	d, ok := t.doors[name]
	return d, ok
}

// Route decides which connectors forward an alert: those that list its source
// and subscribe to it.
func (t *Table) Route(a *alert.Alert) []Routing {
	var routes []Routing
	for _, c := range t.bySource[a.Source] {
		matches, problem := c.Matches(a)
		if problem != "" {
			t.notice(c.Name(), problem)
		}
		if matches {
			routes = append(routes, routing(c, a))
		}
	}
	return routes
}

func routing(c *connector.Compiled, a *alert.Alert) Routing {
	r := Routing{Connector: c.Name()}
	if a.Status == alert.Closed {
		r.DelaySeconds = c.CloseWait().Seconds()
		if c.SkipUnsent() {
			r.Skip = "the alert closed before it was sent"
		}
	}
	return r
}

// stamp is the generation that alerts are evaluated with.
func (t *Table) stamp() int64 {
	if len(t.Broken) > 0 {
		return t.Generation - 1
	}
	return t.Generation
}

// Router holds the current Table.
type Router struct{ table atomic.Pointer[Table] }

// NewRouter returns a router with an empty table of generation 0.
func NewRouter() *Router {
	r := new(Router)
	r.Swap(NewTable(TableConfig{}))
	return r
}

// Swap puts another table in place, all of it at once.
func (r *Router) Swap(t *Table) { r.table.Store(t) }

// Table is the current one.
func (r *Router) Table() *Table { return r.table.Load() }
