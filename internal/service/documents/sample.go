package documents

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"tieline/internal/alert"
	"tieline/internal/connector"
)

// How many stored alerts are looked at, and for how long.
const (
	SampleSize = 500             // of the newest alerts: previews, words that were seen
	DryRunSize = 50              // of a dry run, where nothing else is asked
	DryRunMost = 500             // of a dry run
	tryTime    = 2 * time.Second // of one preview
	dryRunTime = 5 * time.Second // of one dry run
)

// sample returns the newest stored alerts of a document's sources.
func (s *Service) sample(ctx context.Context, limit int, docs ...*connector.Document) ([]alert.Alert, error) {
	names := make(map[string]bool)
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, source := range doc.Sources {
			names[source.Name] = true
		}
	}
	return s.store.RecentAlerts(ctx, slices.Sorted(maps.Keys(names)), limit)
}

// Sample returns the newest stored alerts of a state's sources, newest first, to
// choose one for a preview.
func (s *Service) Sample(ctx context.Context, state State, limit int) ([]alert.Alert, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	return s.sample(ctx, limit, state.Doc)
}

// Word is one of a source's or remote's words that was seen in stored alerts.
type Word struct {
	Word   string `json:"word"`
	Count  int    `json:"count"`
	Mapped bool   `json:"mapped"`          // the document, or its default, says what it means
	Means  string `json:"means,omitempty"` // what it comes to as things are
}

// Severities lists the severities of the newest stored alerts, the most frequent
// first, with what the mapping makes of each. looked is how many alerts were
// looked at.
func (s *Service) Severities(ctx context.Context, state State) (words []Word, looked int, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	alerts, err := s.sample(ctx, SampleSize, state.Doc)
	if err != nil || state.Doc == nil {
		return nil, 0, err
	}
	counts := make(map[string]int)
	for _, a := range alerts {
		counts[a.Severity]++
	}
	words = wordsOf(counts, func(w *Word) {
		w.Means, w.Mapped = state.Doc.Severity.Map[w.Word]
		if !w.Mapped {
			w.Means, w.Mapped = cmp.Or(state.Doc.Severity.Default, w.Word), state.Doc.Severity.Default != ""
		}
	})
	return words, len(alerts), nil
}

// States lists the states in which the tickets of the newest stored alerts were
// last heard, the most frequent first, with the class each counts as.
func (s *Service) States(ctx context.Context, state State) ([]Word, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	counts, err := s.store.HeardStates(ctx, state.Connector, SampleSize)
	if err != nil || state.Doc == nil {
		return nil, err
	}
	return wordsOf(counts, func(w *Word) { w.Means, w.Mapped = StateClass(state.Doc, w.Word) }), nil
}

// StateClass is the class that a remote state counts as, and whether the
// document, or a default, says so.
func StateClass(doc *connector.Document, state string) (class string, mapped bool) {
	if class, ok := doc.States.Classes[state]; ok {
		return class, true
	}
	if slices.Contains(doc.States.Ended, state) {
		return connector.ClassClosed, true
	}
	return connector.ClassOpen, false
}

func wordsOf(counts map[string]int, judge func(*Word)) []Word {
	var words []Word
	for text, n := range counts {
		w := Word{Word: text, Count: n}
		judge(&w)
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b Word) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	return words
}

// SourceState is one source of a document as this installation knows it.
type SourceState struct {
	connector.Source
	Last      time.Time // when its newest alert was accepted; zero = none among the newest of the group
	Addresses []string  // of every server, where it may post to, in communication order
	Secret    string    // whether this server has the token: "ok", "missing", or "" = none is asked for
}

// Sources returns a state's sources with what is known of them.
func (s *Service) Sources(ctx context.Context, state State) ([]SourceState, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	if state.Doc == nil {
		return nil, nil
	}
	names := make([]string, len(state.Doc.Sources))
	for i, source := range state.Doc.Sources {
		names[i] = source.Name
	}
	var last map[string]time.Time
	var addresses []string
	reads, ctx := errgroup.WithContext(ctx)
	reads.Go(func() (err error) { last, err = s.store.LastAccepted(ctx, names); return })
	reads.Go(func() (err error) { addresses, err = s.store.ServerAddresses(ctx, state.Connector); return })
	if err := reads.Wait(); err != nil {
		return nil, err
	}
	live := liveTokens(state)
	var all []SourceState
	for _, source := range state.Doc.Sources {
		known := SourceState{Source: source, Last: last[source.Name]}
		for _, a := range addresses {
			known.Addresses = append(known.Addresses, a+"/v1/sources/"+source.Name)
		}
		// Only of references that are in use: otherwise whoever may write a draft
		// could ask this server which files it has.
		if source.Token != "" && live[string(source.Token)] {
			known.Secret = "ok"
			if _, err := s.kinds.Resolve(source.Token); err != nil {
				known.Secret = "missing"
			}
		}
		all = append(all, known)
	}
	return all, nil
}

func liveTokens(state State) map[string]bool {
	refs := make(map[string]bool)
	doc, _ := connector.Examine([]byte(state.Live.Text))
	if doc == nil {
		return refs
	}
	for _, source := range doc.Sources {
		refs[string(source.Token)] = true
	}
	return refs
}
