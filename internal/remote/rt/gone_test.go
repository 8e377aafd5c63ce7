package rt

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
)

// TestDeletedByAPerson: Request Tracker keeps a deleted ticket, takes updates of it
// and shows them to nobody.
func TestDeletedByAPerson(t *testing.T) {
	a := connect(t, settings(t))
	k := remotetest.NewKey()
	ticket := create(t, a, k)
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"Status": "deleted"})
	d := remotetest.Draft(k, 2, nil)
	_, updated := a.Update(t.Context(), ticket.ID, d)
	_, _, compared := a.Compare(t.Context(), ticket.ID, d)
	noted := a.Note(t.Context(), ticket.ID, k, alert.Note{Seq: 1, Text: "x"})
	for _, err := range []error{updated, compared, noted} {
		f := failure(t, err)
		if f.Class != remote.Permanent || !errors.Is(f, remote.ErrGone) || !strings.Contains(f.Msg, "ticket "+ticket.ID+" was deleted") {
			t.Errorf("told a deleted ticket: %v", f)
		}
	}
}

func TestMergedByAPerson(t *testing.T) {
	a := connect(t, settings(t))
	k, other := remotetest.NewKey(), remotetest.NewKey()
	ticket, into := create(t, a, k), create(t, a, other)
	_, mark, err := a.News(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"MergeInto": into.ID})
	news, _ := poll(t, a, mark, ticket.ID, func(n []alert.News) bool { return len(n) >= 1 })
	if news[0].State != "merged" || news[0].Own || news[0].Key != "" {
		t.Errorf("the news is %+v", news[0])
	}
	d := remotetest.Draft(k, 2, nil)
	d.Subject = "another alert's subject"
	_, updated := a.Update(t.Context(), ticket.ID, d)
	_, _, compared := a.Compare(t.Context(), ticket.ID, d)
	noted := a.Note(t.Context(), ticket.ID, k, alert.Note{Seq: 1, Text: "x"})
	for _, err := range []error{updated, compared, noted} {
		f := failure(t, err)
		if f.Class != remote.Permanent || !errors.Is(f, remote.ErrMerged) || !strings.Contains(f.Msg, "ticket "+ticket.ID+" was merged") || !strings.Contains(f.Msg, into.ID) {
			t.Errorf("told a ticket that was merged away: %v", f)
		}
	}
	if _, differs, err := a.Compare(t.Context(), into.ID, remotetest.Draft(other, 1, nil)); err != nil || len(differs) > 0 {
		t.Errorf("the ticket merged into was changed: %v, %v", differs, err)
	}
}
