package documents_test

import (
	"context"
	"testing"
	"testing/synctest"

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

func (r *reads) LatestDraft(_ context.Context, name string) (store.Draft, error) {
	if name == "one" {
		return store.Draft{Connector: name, Revision: 1, Base: 1, Text: r.document(name).Text}, nil
	}
	return store.Draft{}, fault.New(fault.NotFound, "there is none")
}

// TestPagesReadOneDocument: what stands beside the others already is shown without
// them, and a draft with what was read of them a moment after the start.
func TestPagesReadOneDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := func(*connector.Document) []fault.Problem { return nil }
		db := &reads{}
		s := documents.New(db, documents.Kinds{Check: check, Notes: check})
		open := func(name string, want int) {
			t.Helper()
			if state, err := s.Open(t.Context(), name); err != nil || state.Doc == nil || len(state.Problems) != 0 {
				t.Fatalf("opened %+v: %v", state, err)
			}
			if db.n != want {
				t.Errorf("all documents were read %d times, want %d", db.n, want)
			}
		}
		open("two", 0)
		s.Warm(t.Context())
		open("one", 1)
		open("one", 1)
		ended, end := context.WithCancel(t.Context())
		end()
		s = documents.New(db, documents.Kinds{Check: check, Notes: check})
		s.Warm(ended)
		open("two", 1)
	})
}
