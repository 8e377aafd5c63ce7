package alerts

import (
	"context"
	"slices"

	"tieline/internal/connector"
	"tieline/internal/intake"
	"tieline/internal/store"
)

// compiled is one version of a connector's document as servers run it; nil when
// this program cannot.
type compiled struct {
	version  int64
	document *connector.Compiled
}

// documents returns the current document of every connector, compiled, and the
// generation they make up.
func (s *Service) documents(ctx context.Context) ([]store.StoredDocument, map[string]*connector.Compiled, int64, error) {
	return s.documentsOf(ctx, func(string) bool { return true })
}

// documentsOf is documents with only those compiled that are wanted, or were
// before: to compile is most of the work. What was compiled for an earlier call
// is not compiled again.
func (s *Service) documentsOf(ctx context.Context, wanted func(connector string) bool) ([]store.StoredDocument, map[string]*connector.Compiled, int64, error) {
	docs, generation, err := s.store.Documents(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]compiled, len(docs))
	all := make(map[string]*connector.Compiled, len(docs))
	for _, d := range docs {
		c, ok := s.compiled[d.Connector]
		if !ok || c.version != d.Version {
			if !wanted(d.Connector) {
				continue
			}
			c = compiled{d.Version, s.compile(d)}
		}
		next[d.Connector], all[d.Connector] = c, c.document
	}
	s.compiled = next
	return docs, all, generation, nil
}

func (s *Service) compile(d store.StoredDocument) *connector.Compiled {
	doc, err := connector.Parse([]byte(d.Text), s.checks...)
	if err != nil {
		return nil
	}
	c, err := connector.Compile(doc)
	if err != nil {
		return nil
	}
	return c
}

// table routes alerts by the current documents, as intake does.
func (s *Service) table(ctx context.Context) (*intake.Table, error) {
	docs, all, generation, err := s.documents(ctx)
	if err != nil {
		return nil, err
	}
	cfg := intake.TableConfig{Generation: generation}
	for _, d := range docs {
		if c := all[d.Connector]; c != nil {
			cfg.Connectors = append(cfg.Connectors, c)
		} else {
			cfg.Broken = append(cfg.Broken, d.Connector)
		}
	}
	return intake.NewTable(cfg), nil
}

// takes reports whether a connector lists a source.
func takes(c *connector.Compiled, source string) bool {
	return slices.ContainsFunc(c.Document().Sources, func(s connector.Source) bool { return s.Name == source })
}
