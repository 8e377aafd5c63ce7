package alerts

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/connector"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// desks has three connectors, and a parked link of the second.
type desks struct{ Store }

func (desks) Documents(context.Context) (docs []store.StoredDocument, generation int64, err error) {
	for i := range 3 {
		name := fmt.Sprint("c", i)
		docs = append(docs, store.StoredDocument{Connector: name, Version: 1, Text: "name: " + name + "\nsources: [{name: s, kind: generic}]\nremote: {kind: files}\n"})
	}
	return docs, 1, nil
}

func (d desks) DocumentsOf(ctx context.Context, connectors []string) ([]store.StoredDocument, error) {
	docs, _, err := d.Documents(ctx)
	return slices.DeleteFunc(docs, func(d store.StoredDocument) bool { return !slices.Contains(connectors, d.Connector) }), err
}

func (desks) Tried(context.Context, []alert.ID) (map[alert.LinkID]store.TimelineEvent, error) {
	return map[alert.LinkID]store.TimelineEvent{{Connector: "c1", Side: alert.Remote}: {Text: "subject: it"}}, nil
}

func (desks) Group(context.Context) (store.GroupInfo, error) { return store.GroupInfo{}, nil }

func (desks) Parked(context.Context, store.ParkedQuery) ([]store.ParkedLink, error) {
	row := store.ParkedLink{}
	row.Connector, row.Side = "c1", alert.Remote
	return []store.ParkedLink{row}, nil
}

// TestTheDeskCompilesWhatItShows: of a thousand connectors, a page of the desk
// compiles the documents of those on it, and what needs all has all.
func TestTheDeskCompilesWhatItShows(t *testing.T) {
	n := 0
	s := New(desks{}, func(*connector.Document) []fault.Problem { n++; return nil })
	for range 2 {
		rows, err := s.Desk(t.Context(), ParkedQuery{Limit: 26})
		if err != nil || len(rows) != 1 || rows[0].Message == nil || rows[0].Message.Version != 1 || rows[0].Tried.Text != "subject: it" {
			t.Fatalf("the desk shows %+v, %v", rows, err)
		}
		if n != 1 {
			t.Errorf("%d documents were compiled for one link", n)
		}
	}
	if _, docs, _, err := s.documents(t.Context()); err != nil || len(docs) != 3 || n != 3 {
		t.Errorf("%d of 3 documents are compiled, %d times: %v", len(docs), n, err)
	}
}
