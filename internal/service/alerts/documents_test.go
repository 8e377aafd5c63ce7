package alerts

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// crowd has a thousand connectors, of which every other one hears the alert's
// source, and an alert that two of them forward.
type crowd struct{ Store }

func (crowd) Documents(context.Context) (docs []store.StoredDocument, generation int64, err error) {
	for i := range 1000 {
		name := fmt.Sprintf("c%03d", i)
		text := fmt.Sprintf("name: %s\nsources: [{name: %s, kind: generic}]\nremote: {kind: files}\n", name, []string{"shop", "mine"}[i%2])
		if name == "c003" {
			text = strings.Replace(text, "mine", `"sh\u006fp"`, 1)
		}
		docs = append(docs, store.StoredDocument{Connector: name, Version: 1, Text: text})
	}
	return docs, 1, nil
}

func (crowd) Alert(_ context.Context, id alert.ID) (store.AlertDetail, error) {
	d := store.AlertDetail{Alert: alert.Alert{ID: id, Source: "shop", Status: alert.Open}}
	for _, name := range []string{"c500", "c777"} {
		d.Links = append(d.Links, store.LinkDetail{Link: alert.NewLink(alert.LinkID{Connector: name, Alert: id, Side: alert.Remote}, 1)})
	}
	return d, nil
}

func (crowd) Group(context.Context) (store.GroupInfo, error)            { return store.GroupInfo{}, nil }
func (crowd) Glance(context.Context) (store.Glance, error)              { return store.Glance{}, nil }
func (crowd) Backlog(context.Context) (map[string]store.Backlog, error) { return nil, nil }
func (crowd) Unheld(context.Context, []string) (map[string]bool, error) { return nil, nil }

// TestAnAlertCompilesWhatItsPageShows: the page of an alert reads into the
// documents that it says something of, however many hear its source; and whoever
// asks for all has all.
func TestAnAlertCompilesWhatItsPageShows(t *testing.T) {
	n := 0
	s := New(crowd{}, func(*connector.Document) []fault.Problem { n++; return nil })
	listening := func(e *Explained) (names []string) {
		for _, a := range e.Absent {
			if a.Listens {
				names = append(names, a.Connector)
			}
		}
		return names
	}
	e, err := s.ShowSome(t.Context(), alert.NewID(), 3)
	if err != nil || len(e.Links) != 2 || e.Links[0].Message == nil {
		t.Fatalf("shown %+v: %v", e, err)
	}
	if got := listening(e); !slices.Equal(got, []string{"c000", "c002", "c003"}) || e.Unexplained != 497 || len(e.Absent) != 501 || n != 5 {
		t.Errorf("%v hear its source and %d more may, of %d without a link; %d documents were compiled", got, e.Unexplained, len(e.Absent), n)
	}
	e, err = s.Show(t.Context(), alert.NewID())
	if err != nil || len(listening(e)) != 500 || e.Unexplained != 0 || len(e.Absent) != 998 {
		t.Errorf("%d hear its source and %d more may, of %d without a link: %v", len(listening(e)), e.Unexplained, len(e.Absent), err)
	}
	if n != 502 {
		t.Errorf("%d documents were compiled for all that may hear it", n)
	}
}
