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
// generation they make up. What was compiled for an earlier call is not compiled
// again.
func (s *Service) documents(ctx context.Context) ([]store.StoredDocument, map[string]*connector.Compiled, int64, error) {
	docs, generation, err := s.store.Documents(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]compiled, len(docs))
	all := make(map[string]*connector.Compiled, len(docs))
	for _, d := range docs {
		next[d.Connector] = s.current(d)
		all[d.Connector] = next[d.Connector].document
	}
	s.compiled = next
	return docs, all, generation, nil
}

// compiledOf returns the compiled documents of those that are wanted.
func (s *Service) compiledOf(docs []store.StoredDocument, wanted func(store.StoredDocument) bool) map[string]*connector.Compiled {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]*connector.Compiled)
	for _, d := range docs {
		if wanted(d) {
			s.compiled[d.Connector] = s.current(d)
			all[d.Connector] = s.compiled[d.Connector].document
		}
	}
	return all
}

// some is documents for a page that shows few connectors: the others' are
// neither read nor compiled. It returns the versions with them.
func (s *Service) some(ctx context.Context, connectors []string) (map[string]int64, map[string]*connector.Compiled, error) {
	docs, err := s.store.DocumentsOf(ctx, connectors)
	if err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := make(map[string]int64, len(docs))
	all := make(map[string]*connector.Compiled, len(docs))
	for _, d := range docs {
		s.compiled[d.Connector] = s.current(d)
		versions[d.Connector], all[d.Connector] = d.Version, s.compiled[d.Connector].document
	}
	return versions, all, nil
}

// current is a document compiled, as before where it is the same version.
func (s *Service) current(d store.StoredDocument) compiled {
	c, ok := s.compiled[d.Connector]
	if !ok || c.version != d.Version {
		c = compiled{d.Version, s.compile(d)}
	}
	return c
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
