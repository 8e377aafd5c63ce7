package documents_test

import (
	"context"
	"testing"

	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/service/documents"
	"tieline/internal/store"
)

// reads counts how often all documents are read.
type reads struct {
	documents.Store
	n int
}

func (r *reads) Group(context.Context) (store.GroupInfo, error) {
	return store.GroupInfo{Generation: 7}, nil
}

func (r *reads) Documents(context.Context) ([]store.StoredDocument, int64, error) {
	r.n++
	return []store.StoredDocument{r.document("one"), r.document("two")}, 7, nil
}

func (r *reads) document(name string) store.StoredDocument {
	return store.StoredDocument{Connector: name, Version: 1, Text: "name: " + name + "\nsources: [{name: s, kind: generic}]\nremote: {kind: files}\n"}
}

func (r *reads) Document(_ context.Context, name string, _ int64) (store.StoredDocument, error) {
	return r.document(name), nil
}

func (r *reads) LatestDraft(context.Context, string) (store.Draft, error) {
	return store.Draft{}, fault.New(fault.NotFound, "there is none")
}

// TestTheFirstPageFindsTheDocumentsRead: what was read at the start is not read
// again for a page.
func TestTheFirstPageFindsTheDocumentsRead(t *testing.T) {
	check := func(*connector.Document) []fault.Problem { return nil }
	db := &reads{}
	s := documents.New(db, documents.Kinds{Check: check, Notes: check})
	s.Warm(t.Context())
	for range 2 {
		if state, err := s.Open(t.Context(), "one"); err != nil || state.Doc == nil || len(state.Problems) != 0 {
			t.Fatalf("opened %+v: %v", state, err)
		}
	}
	if db.n != 1 {
		t.Errorf("all documents were read %d times", db.n)
	}
}
