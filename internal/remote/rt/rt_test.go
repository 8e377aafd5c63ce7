package rt

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
	"tieline/internal/secret"
)

// need returns an environment variable that names the Request Tracker to test
// against. The test command sets it; without it these tests fail, because a
// skipped test would read as a passed one.
func need(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: these tests need a real Request Tracker 5 with queue Alerts, which the test command of the README starts", name)
	}
	return v
}

func rest(t *testing.T) string {
	return strings.TrimSuffix(need(t, "TIELINE_TEST_RT_URL"), "/") + restPath
}

func settings(t *testing.T) remote.Settings {
	return remote.Settings{
		Endpoints: []string{need(t, "TIELINE_TEST_RT_URL")},
		Token:     "env:TIELINE_TEST_RT_TOKEN",
		Timeout:   time.Minute,
		Values: map[string]any{
			"queue": "Alerts", "severity_field": "Alert Severity", "requestor": "noc@rt.test",
		},
	}
}

func connect(t *testing.T, s remote.Settings) *Adapter {
	t.Helper()
	need(t, "TIELINE_TEST_RT_TOKEN")
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return a.(*Adapter)
}

// person is the operator working with Request Tracker.
func person(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, rest(t)+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "token "+need(t, "TIELINE_TEST_RT_OPERATOR_TOKEN"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s by a person: %s %s %v", method, path, resp.Status, answer, err)
	}
	return answer
}

func create(t *testing.T, a *Adapter, k alert.Key) alert.Ticket {
	t.Helper()
	ticket, err := a.Create(t.Context(), remotetest.Draft(k, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func failure(t *testing.T, err error) *remote.Failure {
	t.Helper()
	if err == nil {
		t.Fatal("the call succeeded")
	}
	return remote.AsFailure(err)
}

// prelude answers the reads before writes: of the queue, and of ticket 7.
func prelude(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.Contains(r.URL.Path, "/queue/"):
		fmt.Fprint(w, `{"TicketCustomFields": [{"name": "Alert ID"}, {"name": "Alert Source"}, {"name": "Alert Severity"}]}`)
	case strings.HasSuffix(r.URL.Path, "/attachments"):
		fmt.Fprint(w, `{"items": []}`)
	default:
		w.Header().Set("ETag", `"1"`)
		fmt.Fprint(w, `{"id": "7", "Subject": "another", "Status": "new", "CustomFields": []}`)
	}
}

func TestConformance(t *testing.T) {
	token := need(t, "TIELINE_TEST_RT_TOKEN")
	remotetest.Run(t, remotetest.Harness{
		Working: func(t *testing.T) remote.Adapter { return connect(t, settings(t)) },
		Broken: func(t *testing.T, timeout time.Duration, endpoints ...string) remote.Adapter {
			s := settings(t)
			s.Endpoints, s.Timeout = endpoints, timeout
			return connect(t, s)
		},
		Prelude: http.HandlerFunc(prelude),
		Secrets: []string{token},
		Open:    "open", Closed: "resolved", Missing: "987654321",
		Fields:    map[string]string{"Alert Source": "it's \"db1\" \\ {x}", "Priority": "42"},
		NotesOnce: true,
		Notes: func(t *testing.T, ticket string, k alert.Key) []string {
			var p page
			if err := json.Unmarshal(person(t, http.MethodGet, "/ticket/"+ticket+"/attachments?fields=Subject,Content", nil), &p); err != nil {
				t.Fatal(err)
			}
			var notes []string
			for _, x := range p.Items {
				if strings.HasPrefix(x.text("Subject"), string(k)+" n") {
					notes = append(notes, x.text("Content"))
				}
			}
			return notes
		},
	})
}

func TestFieldsAreStored(t *testing.T) {
	a := connect(t, settings(t))
	k := remotetest.NewKey()
	d := remotetest.Draft(k, 1, map[string]string{"Alert Source": "alertmanager", "Priority": "30"})
	d.State = "open"
	ticket, err := a.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	var got record
	if err := json.Unmarshal(person(t, http.MethodGet, "/ticket/"+ticket.ID, nil), &got); err != nil {
		t.Fatal(err)
	}
	fields := got.customFields()
	if got.text("Subject") != d.Subject || got.text("Status") != "open" || got.text("Priority") != "30" ||
		fields["Alert ID"] != string(k) || fields["Alert Source"] != "alertmanager" || fields["Alert Severity"] != "critical" {
		t.Errorf("the ticket is %s, %v", got, fields)
	}
	if !strings.HasSuffix(ticket.URL, "/Ticket/Display.html?id="+ticket.ID) || strings.Contains(ticket.URL, "REST") {
		t.Errorf("the ticket's page is %q", ticket.URL)
	}
}

func TestImpossibleStatusIsDetected(t *testing.T) {
	a := connect(t, settings(t))
	d := remotetest.Draft(remotetest.NewKey(), 1, nil)
	ticket := create(t, a, d.Key)
	d.Revision, d.State = 2, "nosuch"
	_, err := a.Update(t.Context(), ticket.ID, d)
	f := failure(t, err)
	if f.Class != remote.Permanent || !strings.Contains(f.Msg, "Status") || !strings.Contains(f.Msg, "nosuch") {
		t.Errorf("an update to an impossible status: %v, %s", f.Class, f.Msg)
	}
	if _, err := a.Create(t.Context(), d); failure(t, err).Class != remote.Permanent {
		t.Errorf("a create with an impossible status: %v", err)
	}
}

// Request Tracker answers 201 and drops the field. It must be known before a
// ticket is made, or each retry would make another.
func TestUnknownCustomFieldMakesNoTicket(t *testing.T) {
	a := connect(t, settings(t))
	d := remotetest.Draft(remotetest.NewKey(), 1, map[string]string{"No Such Field": "x"})
	_, err := a.Create(t.Context(), d)
	if f := failure(t, err); f.Class != remote.Permanent || !strings.Contains(f.Msg, "No Such Field") {
		t.Errorf("a create with an unknown field: %v, %s", f.Class, f.Msg)
	}
	if found, err := a.Look(t.Context(), d.Key); err != nil || len(found) != 0 {
		t.Errorf("a ticket was made all the same: %+v, %v", found, err)
	}
	ticket := create(t, a, d.Key)
	d.Revision = 2
	_, err = a.Update(t.Context(), ticket.ID, d)
	if f := failure(t, err); f.Class != remote.Permanent || !strings.Contains(f.Msg, "No Such Field") {
		t.Errorf("an update with an unknown field: %v, %s", f.Class, f.Msg)
	}
}

// Should a queue lose a field after it was checked, the read back finds it. The
// ticket is there, so a retry must find it instead of making another; what the
// remote refuses is then said by the update.
func TestDroppedFieldIsFoundByReadingBack(t *testing.T) {
	a := connect(t, settings(t))
	a.known["Alerts"] = knownFields{names: []string{"Alert ID", "Alert Severity", "Gone Field"}, at: time.Now()}
	d := remotetest.Draft(remotetest.NewKey(), 1, map[string]string{"Gone Field": "x"})
	_, err := a.Create(t.Context(), d)
	f := failure(t, err)
	if f.Class != remote.Unknown || !strings.Contains(f.Msg, "Gone Field") || f.Ticket == "" {
		t.Errorf("the create: class %v, ticket %q: %s", f.Class, f.Ticket, f.Msg)
	}
	found, err := a.Look(t.Context(), d.Key)
	if err != nil || len(found) != 1 || found[0].ID != f.Ticket {
		t.Fatalf("looking for ticket %s found %+v, %v", f.Ticket, found, err)
	}
	_, err = a.Update(t.Context(), f.Ticket, d)
	if f := failure(t, err); f.Class != remote.Permanent || !strings.Contains(f.Msg, "Gone Field") {
		t.Errorf("the update: class %v: %s", f.Class, f.Msg)
	}
}

func TestForbiddenQueue(t *testing.T) {
	s := settings(t)
	s.Values["queue"] = "No Such Queue"
	a := connect(t, s)
	_, err := a.Create(t.Context(), remotetest.Draft(remotetest.NewKey(), 1, nil))
	if f := failure(t, err); f.Class != remote.Permanent || f.Status != http.StatusForbidden || f.Shared || !strings.Contains(f.Msg, "No Such Queue") {
		t.Errorf("%+v", f)
	}
	if f := failure(t, a.Probe(t.Context())); f.Class != remote.Permanent || f.Connect {
		t.Errorf("the probe: %+v", f)
	}
}

func TestBadToken(t *testing.T) {
	s := settings(t)
	s.Resolve = func(secret.Ref) (secret.String, error) { return secret.New("1-31-wrongwrongwrong"), nil }
	a := connect(t, s)
	_, err := a.Create(t.Context(), remotetest.Draft(remotetest.NewKey(), 1, nil))
	for _, err := range []error{err, a.Probe(t.Context())} {
		f := failure(t, err)
		if f.Class != remote.Retry || !f.Shared || f.Status != http.StatusUnauthorized || f.Connect || strings.Contains(f.Error(), "wrongwrong") {
			t.Errorf("%+v", f)
		}
	}
}

// A person's changes between our reading and our writing are not undone.
func TestUpdateIsConditional(t *testing.T) {
	a := connect(t, settings(t))
	d := remotetest.Draft(remotetest.NewKey(), 2, nil)
	ticket := create(t, a, d.Key)
	read, etag, err := a.ticket(t.Context(), ticket.ID)
	if err != nil {
		t.Fatal(err)
	}
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"Status": "stalled"})
	d.Subject = "disk full everywhere"
	stale := map[string]string{"Subject": "stale"}
	err = a.send(t.Context(), "update", http.MethodPut, "/ticket/"+ticket.ID, etag, stale, nil)
	if f := failure(t, err); f.Status != http.StatusPreconditionFailed {
		t.Fatalf("a stale update was answered with %+v", f)
	}
	updated, err := a.mend(t.Context(), ticket.ID, a.wanted(d), read, etag)
	if err != nil || updated.State != "stalled" {
		t.Errorf("the ticket is %+v, %v", updated, err)
	}
	if _, differs, err := a.Compare(t.Context(), ticket.ID, d); err != nil || len(differs) > 0 {
		t.Errorf("the ticket does not show %v, %v", differs, err)
	}
}

// What a person makes of the ticket between our update and our reading it back
// stays, and is news of theirs.
func TestAPersonRightAfterOurUpdate(t *testing.T) {
	s := settings(t)
	behind, err := url.Parse(s.Endpoints[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodPut {
				person(t, http.MethodPut, "/ticket/"+path.Base(r.Request.URL.Path), map[string]string{"Status": "stalled"})
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	s.Endpoints = []string{front.URL}
	a := connect(t, s)
	d := remotetest.Draft(remotetest.NewKey(), 1, nil)
	ticket := create(t, a, d.Key)
	_, mark, err := a.News(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	d.State = "resolved"
	updated, err := a.Update(t.Context(), ticket.ID, d)
	if err != nil || updated.State != "resolved" {
		t.Errorf("the update: %+v, %v", updated, err)
	}
	news, _ := poll(t, a, mark, ticket.ID, func(n []alert.News) bool { return len(n) >= 2 })
	if !news[0].Own || news[0].State != "resolved" || news[1].Own || news[1].State != "stalled" || len(news) != 2 {
		t.Errorf("the news is %+v", news)
	}
}

// poll reads news until it holds for the ticket, or the test's time is up.
func poll(t *testing.T, a *Adapter, mark, ticket string, enough func([]alert.News) bool) ([]alert.News, string) {
	t.Helper()
	var all []alert.News
	for {
		news, next, err := a.News(t.Context(), mark)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range news {
			if n.Ticket == ticket {
				all = append(all, n)
			}
		}
		mark = next
		if enough(all) {
			return all, mark
		}
	}
}

func TestNews(t *testing.T) {
	a := connect(t, settings(t))
	k := remotetest.NewKey()
	_, mark, err := a.News(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ticket := create(t, a, k)
	other := person(t, http.MethodPost, "/ticket", map[string]string{"Queue": "Alerts", "Subject": "no alert's", "Content": "x"})
	if err := a.Note(t.Context(), ticket.ID, k, alert.Note{Seq: 1, Text: "ours"}); err != nil {
		t.Fatal(err)
	}
	person(t, http.MethodPost, "/ticket/"+ticket.ID+"/comment", map[string]string{
		"Content": "<p>I'm on it &amp; so is <b>kim</b></p><p>soon</p>", "ContentType": "text/html"})
	person(t, http.MethodPut, "/ticket/"+ticket.ID, map[string]string{"Status": "resolved"})

	news, next := poll(t, a, mark, ticket.ID, func(n []alert.News) bool { return len(n) >= 3 })
	var told []string
	for _, n := range news {
		told = append(told, fmt.Sprintf("%s own=%v %q", n.Author, n.Own, n.Text))
		if n.Key != k || n.State != "resolved" || n.At.IsZero() || n.ID == "" {
			t.Errorf("news %+v", n)
		}
	}
	want := []string{`connector own=true ""`, `operator own=false "I'm on it & so is kim\nsoon"`, `operator own=false ""`}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	for _, n := range news {
		if strings.Contains(string(other), `"`+n.Ticket+`"`) {
			t.Errorf("news of a ticket without a key: %+v", n)
		}
	}
	again, _, err := a.News(t.Context(), next)
	if err != nil || slices.ContainsFunc(again, func(n alert.News) bool { return n.Ticket == ticket.ID }) {
		t.Errorf("read again after the bookmark: %+v, %v", again, err)
	}
	repeat, _ := poll(t, a, mark, ticket.ID, func(n []alert.News) bool { return len(n) >= 3 })
	if repeat[0].ID != news[0].ID {
		t.Error("the same news has another name the second time")
	}
}
