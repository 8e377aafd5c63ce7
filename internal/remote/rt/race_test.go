package rt

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
	"tieline/internal/secret"
)

// desk is a Request Tracker of one ticket, 7, that shows every draft but for
// its state.
type desk struct {
	mu      sync.Mutex
	t       *testing.T
	draft   alert.Draft
	state   string
	history []transaction
	puts    int
	refuses bool             // it answers success and leaves the state as it is
	after   func(put int)    // what somebody does as soon as an update was done
	deaf    func(string) int // the status of an answer to a path; 0 = as usual
}

func newDesk(t *testing.T, state string) (*desk, *Adapter) {
	d := &desk{t: t, draft: alert.Draft{Key: "tl-1", Subject: "disk full"}, state: state, after: func(int) {}}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	adapter, err := New(remote.Settings{
		Endpoints: []string{server.URL}, Token: "env:X", Values: map[string]any{"queue": "Alerts"},
		Resolve: func(secret.Ref) (secret.String, error) { return secret.New("token"), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d, adapter.(*Adapter)
}

// sets changes the state as somebody; the caller holds the lock.
func (d *desk) sets(who, state string) {
	d.state = state
	d.history = append(d.history, transaction{id: int64(100 + len(d.history)), kind: "Status", creator: who, newValue: state})
}

var above = regexp.MustCompile(`id > (\d+)`)

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.deaf != nil {
		if status := d.deaf(r.URL.Path); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	switch {
	case strings.HasSuffix(r.URL.Path, "/transactions"):
		d.search(w, r.URL.Query().Get("query"), r.URL.Query().Get("order"))
	case r.Method == http.MethodPut:
		if r.Header.Get("If-Match") != d.etag() {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		var change struct{ Status string }
		if err := json.NewDecoder(r.Body).Decode(&change); err != nil || change.Status == "" {
			d.t.Errorf("an update of %+v, %v", change, err)
		}
		d.puts++
		if !d.refuses {
			d.sets("connector", change.Status)
		}
		d.after(d.puts)
		fmt.Fprint(w, `["done"]`)
	default:
		w.Header().Set("ETag", d.etag())
		fmt.Fprintf(w, `{"id": 7, "Subject": %q, "Status": %q, "CustomFields": [{"name": "Alert ID", "values": [%q]}]}`,
			d.draft.Subject, d.state, d.draft.Key)
	}
}

func (d *desk) etag() string { return strconv.Itoa(len(d.history)) }

func (d *desk) search(w http.ResponseWriter, query, order string) {
	if !strings.Contains(query, "TicketId = 7") && !strings.Contains(query, "__CurrentUser__") {
		d.t.Errorf("searched for %s", query)
	}
	var from int64
	if m := above.FindStringSubmatch(query); m != nil {
		from, _ = strconv.ParseInt(m[1], 10, 64)
	}
	list := slices.DeleteFunc(slices.Clone(d.history), func(x transaction) bool {
		return x.id <= from || strings.Contains(query, "__CurrentUser__") && x.creator != "connector"
	})
	if order == "DESC" {
		slices.Reverse(list)
	}
	items := make([]string, len(list))
	for i, x := range list {
		items[i] = fmt.Sprintf(`{"id": "%d", "Type": "Status", "ObjectId": "7", "Creator": {"id": %q}, "NewValue": %q}`, x.id, x.creator, x.newValue)
	}
	fmt.Fprintf(w, `{"items": [%s]}`, strings.Join(items, ","))
}

// resolve updates the ticket to be resolved.
func (d *desk) resolve(a *Adapter) (alert.Ticket, error) {
	draft := d.draft
	draft.State = "resolved"
	return a.Update(d.t.Context(), "7", draft)
}

// A person who changes the state as soon as we set it has the last word, also
// where that is what it was before, and an earlier time the same had happened.
func TestAStateChangedRightAfterOursIsLeft(t *testing.T) {
	for _, theirs := range []string{"stalled", "open"} {
		d, a := newDesk(t, "new")
		d.sets("connector", "resolved")
		d.sets("operator", "open")
		d.after = func(int) { d.sets("operator", theirs) }
		ticket, err := d.resolve(a)
		if err != nil || d.state != theirs || d.puts != 1 {
			t.Errorf("the ticket is %s after %d updates: %v", d.state, d.puts, err)
		}
		if ticket.State != "resolved" || ticket.Open {
			t.Errorf("what was set reads %+v; the person's change is for the news to tell", ticket)
		}
	}
}

// A refused state is still found, whatever others did before and do meanwhile.
func TestARefusedStateIsFoundBesideOthersChanges(t *testing.T) {
	for name, after := range map[string]func(d *desk){
		"nothing else":           func(*desk) {},
		"somebody changed it":    func(d *desk) { d.sets("operator", "stalled") },
		"somebody changed twice": func(d *desk) { d.sets("operator", "stalled"); d.sets("operator", "open") },
	} {
		d, a := newDesk(t, "new")
		d.sets("connector", "resolved") // ours of before is not this one
		d.sets("operator", "open")
		d.refuses, d.after = true, func(int) { after(d) }
		_, err := d.resolve(a)
		if err == nil || remote.AsFailure(err).Class != remote.Permanent || d.puts != 2 {
			t.Errorf("%s: %d updates, %v", name, d.puts, err)
		}
	}
}

// What cannot be told from the history is looked at again, and not written over.
func TestAHistoryThatCannotBeReadLeavesTheOutcomeUnknown(t *testing.T) {
	d, a := newDesk(t, "open")
	d.after = func(int) {
		d.sets("operator", "stalled")
		d.deaf = func(path string) int {
			if strings.HasSuffix(path, "/transactions") {
				return http.StatusServiceUnavailable
			}
			return 0
		}
	}
	_, err := d.resolve(a)
	if err == nil || remote.AsFailure(err).Class != remote.Unknown || d.state != "stalled" {
		t.Errorf("the ticket is %s: %v", d.state, err)
	}
}

func TestStatesThatNewsTells(t *testing.T) {
	status := func(who, state string) transaction {
		return transaction{kind: "Status", ticket: "7", creator: who, newValue: state}
	}
	words := transaction{kind: "Comment", ticket: "7", creator: "kim"}
	for _, c := range []struct {
		name    string
		list    []transaction
		present string
		want    []string
	}{
		{"each its own", []transaction{status("kim", "open"), status("kim", "stalled")}, "stalled", []string{"open", "stalled"}},
		{"a comment tells the present", []transaction{status("kim", "stalled"), words}, "stalled", []string{"stalled", "stalled"}},
		{"what we changed since is not told as kim's", []transaction{status("kim", "stalled"), status("us", "resolved")}, "resolved", []string{"", "resolved"}},
		{"a person after us", []transaction{status("kim", "stalled"), status("us", "resolved"), status("kim", "open")}, "open", []string{"stalled", "resolved", "open"}},
		{"read late, or changed since", []transaction{status("kim", "stalled")}, "resolved", []string{""}},
		{"merged", []transaction{status("kim", "stalled")}, "merged", []string{"merged"}},
	} {
		got := toldStates(c.list, map[string]alert.Ticket{"7": {State: c.present}}, "us")
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// The overlap is read again, and only what was not there before is told.
func TestNewsThatAppearsOutOfOrder(t *testing.T) {
	a := connect(t, settings(t))
	k := remotetest.NewKey()
	ticket := create(t, a, k)
	_, mark, err := a.News(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"Status": "open"})
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"Status": "stalled"})
	news, next := poll(t, a, mark, ticket.ID, func(n []alert.News) bool { return len(n) >= 2 })
	b, err := parseBookmark(next)
	if err != nil {
		t.Fatal(err)
	}
	first := number(strings.TrimPrefix(news[0].ID, "txn/"))
	b.seen = slices.DeleteFunc(b.seen, func(n int64) bool { return n == first }) // as if it had not been visible
	late, _, err := a.News(t.Context(), b.String())
	if err != nil || !slices.ContainsFunc(late, func(n alert.News) bool { return n.ID == news[0].ID }) {
		t.Errorf("the late transaction %d is not told: %+v, %v", first, late, err)
	}
}
