package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
)

// recorded is one request that a test's server got.
type recorded struct {
	method, url, body string
	header            http.Header
}

// record returns an adapter at a server that answers with a text.
func record(t *testing.T, status int, answer string, values map[string]any) (remote.Adapter, *[]recorded) {
	t.Helper()
	var got []recorded
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, recorded{r.Method, r.URL.String(), string(body), r.Header})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return at(t, remote.Settings{Endpoints: []string{s.URL}, Values: values}), &got
}

func TestTemplates(t *testing.T) {
	a, got := record(t, 200, `{"result": {"number": 9007199254740993, "state": "New", "link": "http://desk/9"}}`, map[string]any{
		"headers": map[string]any{"X-Source": "{{ upper .Alert.Source }}"},
		"auth":    "header", "auth_header": "X-Api-Key",
		"create": map[string]any{
			"path":   `/incident/{{ path .Key }}?q={{ urlquery .Subject }}`,
			"body":   `{"title": {{ json .Subject }}, "labels": {{ json (join "; " .Alert.Labels) }}, "none": {{ json .Fields.nothing }}}`,
			"ticket": "body.result.number", "state": "body.result.state.lowerAscii()", "url": "body.result.link",
		},
		"update": map[string]any{"method": "patch", "path": "/incident/{{ path .Ticket }}"},
	})
	d := remotetest.Draft("tl-1/2", 1, nil)
	d.Subject = `a "quoted" & <odd>`
	ticket, err := a.Create(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	want := alert.Ticket{ID: "9007199254740993", State: "new", URL: "http://desk/9", Key: d.Key, Open: true}
	if fmt.Sprint(ticket) != fmt.Sprint(want) {
		t.Errorf("ticket %+v, want %+v", ticket, want)
	}
	r := (*got)[0]
	if r.method != "POST" || r.url != "/incident/tl-1%2F2?q=a+%22quoted%22+%26+%3Codd%3E" {
		t.Errorf("requested %s %s", r.method, r.url)
	}
	if r.header.Get("X-Source") != "TEST" || r.header.Get("X-Api-Key") != token || r.header.Get("Idempotency-Key") != "tl-1/2" {
		t.Errorf("header %v", r.header)
	}
	var body map[string]string
	if err := json.Unmarshal([]byte(r.body), &body); err != nil || body["title"] != d.Subject || body["labels"] != "instance=db1" || body["none"] != "" {
		t.Errorf("body %s: %v", r.body, err)
	}
	if _, err := a.Update(t.Context(), ticket.ID, d); err != nil {
		t.Fatal(err)
	}
	u := (*got)[1]
	if u.method != "PATCH" || u.url != "/incident/9007199254740993" || !strings.HasPrefix(u.header.Get("Idempotency-Key"), "tl-1/2-r1-") {
		t.Errorf("the update was %s %s with key %s", u.method, u.url, u.header.Get("Idempotency-Key"))
	}
}

// The same revision is sent again to mend what a late older one did: no remote
// may drop that as a repeat.
func TestUpdatesHaveDistinctIdempotencyKeys(t *testing.T) {
	a, got := record(t, 200, `{}`, nil)
	for range 2 {
		if _, err := a.Update(t.Context(), "1", remotetest.Draft("tl-x", 3, nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Create(t.Context(), remotetest.Draft("tl-x", 3, nil)); err != nil {
			t.Fatal(err)
		}
	}
	key := func(i int) string { return (*got)[i].header.Get("Idempotency-Key") }
	if key(0) == key(2) || key(1) != key(3) || key(1) != "tl-x" {
		t.Errorf("update keys %s and %s, create keys %s and %s", key(0), key(2), key(1), key(3))
	}
}

func TestDefaultBodyIsTheMessage(t *testing.T) {
	a, got := record(t, 204, "", nil)
	d := remotetest.Draft("tl-x", 3, map[string]string{"team": "storage"})
	ticket, err := a.Create(t.Context(), d)
	if err != nil || ticket.ID != "tl-x" {
		t.Fatalf("without an expression the key is the ticket id: %+v, %v", ticket, err)
	}
	var m remote.Message
	if err := json.Unmarshal([]byte((*got)[0].body), &m); err != nil {
		t.Fatal(err)
	}
	if m.Kind != "new" || m.Key != "tl-x" || m.Revision != 3 || m.Fields["team"] != "storage" || m.Alert.Source != "test" {
		t.Errorf("message %+v", m)
	}
	if (*got)[0].header.Get("Authorization") != "Bearer "+token {
		t.Error("a token alone is not sent as bearer")
	}
}

func TestTemplatesThatFail(t *testing.T) {
	for name, c := range map[string]map[string]any{
		"no JSON":      {"body": `{"a": {{ .Subject }} }`},
		"unknown":      {"body": `{{ if eq .Severity ".." }}{{ .Nothing }}{{ end }}`},
		"call":         {"body": `{{ call .Subject }}`},
		"blank path":   {"path": "/{{ .Subject }}"},
		"leaving path": {"path": "/{{ path .Severity }}/x"},
		"endless":      {"body": `{{ range 100000000 }}xxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}`},
	} {
		t.Run(name, func(t *testing.T) {
			a, got := record(t, 200, "{}", map[string]any{"create": c})
			d := remotetest.Draft("tl-x", 1, nil)
			d.Severity = ".."
			_, err := a.Create(t.Context(), d)
			if f := remote.AsFailure(err); err == nil || f.Class != remote.Permanent {
				t.Errorf("%v", err)
			}
			if len(*got) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

func TestWhatIsConfiguredIsOffered(t *testing.T) {
	lookup := map[string]any{"path": "/find", "tickets": "body"}
	for _, c := range []struct {
		values              map[string]any
		guarantee           remote.Guarantee
		looks, notes, polls bool
	}{
		{map[string]any{}, remote.AtLeastOnce, false, false, false},
		{map[string]any{"lookup": lookup}, remote.Lookup, true, false, false},
		{map[string]any{"note": map[string]any{}}, remote.AtLeastOnce, false, true, false},
		{map[string]any{"lookup": lookup, "note": map[string]any{}}, remote.Lookup, true, true, false},
		{map[string]any{"idempotent": true, "key_life": "24h", "settle": "9s"}, remote.Idempotent, false, false, false},
		{map[string]any{"idempotent": true, "lookup": lookup}, remote.Idempotent, true, false, false},
	} {
		a := at(t, remote.Settings{Endpoints: []string{"http://x"}, Values: c.values})
		_, looks := a.(remote.Looker)
		_, compares := a.(remote.Comparer)
		_, notes := a.(remote.Noter)
		_, polls := a.(remote.Poller)
		if looks != c.looks || compares != c.looks || notes != c.notes || polls != c.polls || a.Traits().Guarantee != c.guarantee {
			t.Errorf("%v: looks %v, compares %v, notes %v, polls %v, %v", c.values, looks, compares, notes, polls, a.Traits())
		}
		if c.values["key_life"] != nil && (a.Traits().KeyLife != 24*time.Hour || a.Traits().Settle != 9*time.Second) {
			t.Errorf("traits %+v", a.Traits())
		}
	}
}

func TestAnswersWithoutATicket(t *testing.T) {
	lookup := map[string]any{"tickets": "body.tickets"}
	for name, c := range map[string]struct {
		values map[string]any
		want   remote.Class
	}{
		"alone":      {map[string]any{}, remote.Permanent}, // a retry may double it: a person decides
		"lookup":     {map[string]any{"lookup": lookup}, remote.Unknown},
		"idempotent": {map[string]any{"idempotent": true}, remote.Unknown},
	} {
		for _, answer := range []string{"", "<html>", `{"id": null}`, `{"id": ""}`, `{"id": 1.5}`, `{"id": [1]}`, `{"id": "a\nb"}`, `{"id": "` + strings.Repeat("x", 300) + `"}`} {
			c.values["create"] = map[string]any{"ticket": "body.id"}
			a, _ := record(t, 200, answer, c.values)
			_, err := a.Create(t.Context(), remotetest.Draft("tl-x", 1, nil))
			if f := remote.AsFailure(err); err == nil || f.Class != c.want {
				t.Errorf("%s: answer %q: %v", name, answer, err)
			}
		}
	}
}

func TestSilentlyRefusedState(t *testing.T) {
	a, _ := record(t, 200, `{"id": "7", "state": "open"}`, map[string]any{"create": map[string]any{"ticket": "body.id", "state": "body.state"}})
	d := remotetest.Draft("tl-x", 2, nil)
	d.State = "resolved"
	_, err := a.Update(t.Context(), "7", d)
	if f := remote.AsFailure(err); err == nil || f.Class != remote.Permanent || !strings.Contains(f.Msg, "resolved") {
		t.Errorf("%v", err)
	}
}

// A ticket that was made but has not the state it should have must not be made
// again.
func TestCreateThatTakesNoState(t *testing.T) {
	parts := func(update string) map[string]any {
		return map[string]any{
			"create": map[string]any{"ticket": "body.id", "state": `"new"`},
			"update": map[string]any{"method": "PUT", "state": update},
		}
	}
	d := remotetest.Draft("tl-x", 1, nil)
	d.State = "open"
	a, got := record(t, 200, `{"id": "7"}`, parts(`"open"`))
	if ticket, err := a.Create(t.Context(), d); err != nil || ticket.ID != "7" || ticket.State != "open" || len(*got) != 2 {
		t.Errorf("%+v, %v after %d requests", ticket, err, len(*got))
	}
	a, _ = record(t, 200, `{"id": "7"}`, parts(`"new"`))
	if ticket, err := a.Create(t.Context(), d); err != nil || ticket.ID != "7" || ticket.State != "new" {
		t.Errorf("at least once: %+v, %v", ticket, err)
	}
	values := parts(`"new"`)
	values["idempotent"] = true
	a, _ = record(t, 200, `{"id": "7"}`, values)
	_, err := a.Create(t.Context(), d)
	if f := remote.AsFailure(err); err == nil || f.Class != remote.Unknown || f.Ticket != "7" {
		t.Errorf("idempotent: %v", err)
	}
}

func TestConflictWithAnIdempotencyKeyIsUnderWay(t *testing.T) {
	for idempotent, want := range map[bool]remote.Class{true: remote.Retry, false: remote.Permanent} {
		a, _ := record(t, 409, "", map[string]any{"idempotent": idempotent})
		_, err := a.Create(t.Context(), remotetest.Draft("tl-x", 1, nil))
		if f := remote.AsFailure(err); f.Class != want {
			t.Errorf("idempotent %v: %v", idempotent, f.Class)
		}
	}
}

func TestLookup(t *testing.T) {
	expression := `body.items.map(t, {"id": t.no, "state": t.st, "open": t.st != "gone", "fields": {"subject": t.title, "n": t.n}})`
	answer := `{"items": [{"no": 3, "st": "open", "title": "disk full on db1", "n": 7}, {"no": 4, "st": "gone", "title": "x", "n": null}]}`
	a, got := record(t, 200, answer, map[string]any{"lookup": map[string]any{"path": "/find?k={{ urlquery .Key }}", "tickets": expression}})
	found, err := a.(remote.Looker).Look(t.Context(), "tl-a&b")
	if err != nil || len(found) != 2 || found[0].ID != "3" || !found[0].Open || found[1].Open || found[0].Fields["n"] != "7" {
		t.Fatalf("found %+v, %v", found, err)
	}
	if (*got)[0].url != "/find?k=tl-a%26b" || (*got)[0].method != "GET" {
		t.Errorf("requested %+v", (*got)[0])
	}
	d := remotetest.Draft("tl-a&b", 1, map[string]string{"n": "8"})
	d.State = "resolved"
	_, differs, err := a.(remote.Comparer).Compare(t.Context(), "3", d)
	if err != nil || !slices.Equal(differs, []string{"n", "state"}) {
		t.Errorf("differs %v, %v", differs, err)
	}
	if _, differs, err = a.(remote.Comparer).Compare(t.Context(), "99", d); err != nil || !slices.Equal(differs, []string{"key"}) {
		t.Errorf("a ticket not found by the key differs in %v, %v", differs, err)
	}
}

// A ticket of which the lookup tells the state alone may show any revision.
func TestComparisonWithoutContentProvesNothing(t *testing.T) {
	d := remotetest.Draft("tl-a", 2, map[string]string{"n": "8"})
	for fields, shown := range map[string]bool{
		`{}`:              false,
		`{"n": "8"}`:      false,
		`{"revision": 2}`: true,
		`{"revision": 1}`: false,
		`{"subject": t.s, "body": t.b, "severity": t.v, "n": "8"}`: true,
	} {
		answer, err := json.Marshal(map[string]any{"items": []any{map[string]any{"id": 3, "state": d.State, "s": d.Subject, "b": d.Body, "v": d.Severity}}})
		if err != nil {
			t.Fatal(err)
		}
		expression := `body.items.map(t, {"id": t.id, "state": t.state, "fields": ` + fields + `})`
		a, _ := record(t, 200, string(answer), map[string]any{"lookup": map[string]any{"path": "/find", "tickets": expression}})
		_, differs, err := a.(remote.Comparer).Compare(t.Context(), "3", d)
		if err != nil || (len(differs) == 0) != shown {
			t.Errorf("with fields %s it differs in %v, %v", fields, differs, err)
		}
	}
}

// A 404 of a misspelt path must not read as "no ticket": a second would be made.
func TestLookupNotFound(t *testing.T) {
	for none, want := range map[bool]bool{true: true, false: false} {
		a, _ := record(t, 404, "", map[string]any{"lookup": map[string]any{"tickets": "body", "not_found_is_none": none}})
		found, err := a.(remote.Looker).Look(t.Context(), "tl-x")
		if (err == nil) != want || len(found) != 0 {
			t.Errorf("not_found_is_none %v: %v, %v", none, found, err)
		}
	}
}

func TestGoneTicket(t *testing.T) {
	for _, status := range []int{404, 410} {
		a, _ := record(t, status, "", map[string]any{"note": map[string]any{}})
		_, err := a.Update(t.Context(), "7", remotetest.Draft("tl-x", 2, nil))
		noteErr := a.(remote.Noter).Note(t.Context(), "7", "tl-x", alert.Note{Seq: 1})
		if !errors.Is(err, remote.ErrGone) || !errors.Is(noteErr, remote.ErrGone) {
			t.Errorf("%d: %v, %v", status, err, noteErr)
		}
	}
}

func TestProbe(t *testing.T) {
	for status, good := range map[int]bool{200: true, 404: true, 405: true, 401: false, 403: false, 500: false, 503: false} {
		a, _ := record(t, status, "", nil)
		if err := a.Probe(t.Context()); (err == nil) != good {
			t.Errorf("HEAD answered with %d: %v", status, err)
		}
	}
	a, _ := record(t, 404, "", map[string]any{"probe": map[string]any{"path": "/health"}})
	if err := a.Probe(t.Context()); err == nil {
		t.Error("a probe of its own that answers 404 is good")
	}
}

// TestCheckTriesTemplates: what fails for every message is told when the document
// is written, all of it at once, and not by every alert that is parked.
func TestCheckTriesTemplates(t *testing.T) {
	check := func(create map[string]any) (all []string) {
		for _, p := range Check(remote.Settings{Endpoints: []string{"http://x"}, Values: map[string]any{"create": create, "idempotent": true}}) {
			all = append(all, p.Path+": "+p.Message)
		}
		return all
	}
	got := check(map[string]any{"path": "/{{ .Tickt }}", "body": "{{ .Nope }} {{ if .Key }}{{ .Alert.Labls }}{{ end }} {{ upper 1 }} {{ .Nope }}", "ticket": "body.id"})
	want := []string{"create.body: always fails at <.Nope>", "create.body: always fails at <.Alert.Labls>", "create.body: always fails at <1>", "create.path: always fails at <.Tickt>"}
	if len(got) != len(want) {
		t.Fatalf("problems %q, want %q", got, want)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], "remote.settings."+want[i]) {
			t.Errorf("problem %q, want %q", got[i], want[i])
		}
	}
	got = check(map[string]any{"path": "/t", "ticket": "boddy.id + nope"})
	want = []string{"create.ticket: is not an expression: 1:1: undeclared reference to 'boddy'", "create.ticket: is not an expression: 1:12: undeclared reference to 'nope'"}
	if len(got) != 2 || !strings.HasPrefix(got[0], "remote.settings."+want[0]) || !strings.HasPrefix(got[1], "remote.settings."+want[1]) {
		t.Errorf("problems %q, want %q", got, want)
	}
	fine := `{{ with .Note }}{{ .Text }}{{ end }}{{ range $k, $v := .Fields }}{{ $k }}{{ end }}{{ .Alert.Labels.none | default "x" }}{{ slice .Key 0 30 }}{{ json . }}`
	if problems := check(map[string]any{"path": "/t", "body": fine, "ticket": "body.id"}); len(problems) > 0 {
		t.Errorf("a template that is fine for some message: %q", problems)
	}
}

func TestCheck(t *testing.T) {
	problems := Check(remote.Settings{
		Endpoints: []string{"x"},
		Values: map[string]any{
			"auth": "header", "auth_header": "bad name", "key_life": "1h", "key_header": "a b", "tpyo": 1,
			"headers":        map[string]any{"X Y": "a", "X-Ok": "{{"},
			"secret_headers": map[string]any{"X-A": "pasted-secret"},
			"create":         map[string]any{"method": "GET", "path": "tickets", "body": "{{ .X", "ticket": "body.(", "state": "[1]", "sate": "x"},
			"update":         map[string]any{"content_type": "a\nb"},
			"lookup":         map[string]any{},
			"probe":          map[string]any{"method": "DELETE"},
		},
	})
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
		if strings.Contains(p.Message, "pasted") {
			t.Errorf("a secret is repeated: %+v", p)
		}
	}
	for _, want := range []string{
		"endpoints[0]", "settings.auth", "settings.key_life", "settings.key_header", "settings.tpyo", "settings.headers.X Y",
		"settings.headers.X-Ok", "settings.secret_headers.X-A", "settings.create.method", "settings.create.path", "settings.create.body",
		"settings.create.ticket", "settings.create.state", "settings.create.sate", "settings.update.content_type",
		"settings.lookup.tickets", "settings.probe.method",
	} {
		if !slices.Contains(paths, "remote."+want) {
			t.Errorf("no problem at %s; found %v", want, paths)
		}
	}
	if problems := Check(remote.Settings{Endpoints: []string{"http://x"}}); len(problems) > 0 {
		t.Errorf("the simplest settings have problems: %v", problems)
	}
	desk := remotetest.NewDesk(remotetest.DeskOptions{})
	defer desk.Close()
	if problems := Check(desk.Settings("http://x", true)); len(problems) > 0 {
		t.Errorf("the desk's settings have problems: %v", problems)
	}
}
