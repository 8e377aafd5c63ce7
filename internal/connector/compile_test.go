package connector

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
)

func compiled(t testing.TB, lines ...string) *Compiled {
	t.Helper()
	c, err := Compile(mustParse(t, with(lines...)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func diskFull() *alert.Alert {
	return &alert.Alert{
		Source: "am", Key: "f00", Status: alert.Open, Revision: 3,
		StartsAt: time.Date(2026, 11, 22, 15, 26, 3, 0, time.UTC),
		Content: alert.Content{
			Severity: "critical", Summary: "disk full\non db1", Description: "no space left", URL: "http://prom/graph",
			Labels: map[string]string{"alertname": "DiskFull", "instance": "db1"},
		},
	}
}

func TestMatches(t *testing.T) {
	tests := map[string]struct {
		subscription string
		want         bool
		problem      string
	}{
		"every alert":       {``, true, ""},
		"by severity":       {`severity == "critical"`, true, ""},
		"not":               {`severity == "info"`, false, ""},
		"by label":          {`labels.instance.startsWith("db")`, true, ""},
		"missing label":     {`labels.env == "prod"`, false, "the subscription could not be evaluated: no such key: env"},
		"asked for":         {`has(labels.env) && labels.env == "prod"`, false, ""},
		"optional":          {`labels[?"env"].orValue("prod") == "prod"`, true, ""},
		"macro":             {`labels.exists(name, name == "alertname")`, true, ""},
		"status":            {`status == "open" && url != "" && starts_at < "2027"`, true, ""},
		"annotations, key":  {`annotations.size() == 0 && key == "f00" && source == "am"`, true, ""},
		"regular":           {`summary.matches("(?s)disk.*db1$")`, true, ""},
		"costs too much":    {`"` + strings.Repeat("a", 2000) + `".split("").all(a, "` + strings.Repeat("a", 2000) + `".split("").all(b, a == b))`, false, "the subscription could not be evaluated: operation cancelled: actual cost limit exceeded"},
		"error beside true": {`labels.env == "prod" || severity == "critical"`, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			doc := mustParse(t, with())
			doc.Subscription = test.subscription
			c, err := Compile(doc)
			if err != nil {
				t.Fatal(err)
			}
			got, problem := c.Matches(diskFull())
			if got != test.want || problem != test.problem {
				t.Errorf("Matches = %v, %q; want %v, %q", got, problem, test.want, test.problem)
			}
		})
	}
}

func TestDraft(t *testing.T) {
	c := compiled(t,
		`severity: {map: {critical: "1"}, default: "5"}`,
		`states: {open: new}`,
		`fields:`,
		`  subject: "[{{ .Labels.instance | upper }}] {{ .Summary }}"`,
		`  body: "  {{ join \", \" .Labels }}\n{{ link \"graph\" .URL }}  "`,
		`  Team: "{{ .Labels.team | default \"nobody\" }}"`,
		`  Host: {cel: 'truncate(upper(default(labels[?"host"].orValue(""), labels.instance)), 2)'}`,
		`  Link: {cel: 'link("x", url) + [severity, status].join("/").trim()'}`,
	)
	a := diskFull()
	got, err := c.Draft(a, nil, "tl-1")
	if err != nil {
		t.Fatal(err)
	}
	want := alert.Draft{
		Key: "tl-1", Revision: 3, Subject: "[DB1] disk full on db1", Severity: "1", State: "new",
		Body:    "alertname=DiskFull, instance=db1\ngraph <http://prom/graph>",
		Comment: "The alert is open at its source am.",
		Fields:  map[string]string{"Team": "nobody", "Host": "D…", "Link": "x <http://prom/graph>critical/open"},
		Alert:   a,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("draft (-want +got):\n%s", diff)
	}
}

func TestDraftByDefault(t *testing.T) {
	got, err := compiled(t).Draft(diskFull(), nil, "tl-1")
	if err != nil {
		t.Fatal(err)
	}
	want := `no space left

Source: am
Severity: critical
Began: 2026-11-22T15:26:03Z
See: http://prom/graph

alertname: DiskFull
instance: db1`
	if diff := cmp.Diff(want, got.Body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	if got.Subject != "disk full on db1" || got.Severity != "critical" || got.State != "new" || got.Fields != nil {
		t.Errorf("draft = %+v", got)
	}
	bare, err := compiled(t).Draft(&alert.Alert{Key: "f00"}, nil, "tl-1")
	if err != nil || bare.Subject != "f00" {
		t.Errorf("subject of an alert that tells nothing = %q, %v; want its key", bare.Subject, err)
	}
}

func TestDraftOfAClosedAlert(t *testing.T) {
	a := diskFull()
	a.Status, a.EndsAt = alert.Closed, time.Date(2026, 11, 22, 17, 0, 0, 0, time.FixedZone("", 3600))
	got, err := compiled(t).Draft(a, nil, "tl-1")
	if err != nil {
		t.Fatal(err)
	}
	if got.State != "resolved" || got.Comment != "The alert closed at its source am at 2026-11-22T16:00:00Z." {
		t.Errorf("state %q, comment %q", got.State, got.Comment)
	}
}

func TestDraftNamesTheFieldsThatFail(t *testing.T) {
	c := compiled(t, `fields:`, `  Host: {cel: labels.host}`, `  Long: '{{ range .Labels }}{{ printf "%70000s" . }}{{ end }}'`, `  Fine: x`)
	_, err := c.Draft(diskFull(), nil, "tl-1")
	want := []fault.Problem{
		{Path: "fields.Host", Message: "no such key: host"},
		{Path: "fields.Long", Message: "the text grew beyond 65536 bytes"},
	}
	if diff := cmp.Diff(want, fault.ProblemsOf(err)); diff != "" || fault.KindOf(err) != fault.Invalid {
		t.Errorf("problems of %v (-want +got):\n%s", err, diff)
	}
}

func TestSubjectIsBounded(t *testing.T) {
	a := diskFull()
	a.Summary = strings.Repeat("ö", 300)
	got, err := compiled(t).Draft(a, nil, "tl-1")
	if want := strings.Repeat("ö", 254) + "…"; err != nil || got.Subject != want {
		t.Errorf("subject = %q, %v", got.Subject, err)
	}
}

func TestStateClass(t *testing.T) {
	c := compiled(t, `states: {classes: {waiting: open, new: cancelled}, ended: [archived, rejected]}`)
	want := map[string]string{
		"open": ClassOpen, "stalled": ClassOpen, "resolved": ClassResolved, "rejected": ClassCancelled, "deleted": ClassDeleted,
		"waiting": ClassOpen, "new": ClassCancelled, "archived": ClassClosed, "never heard of": ClassOpen, "": ClassOpen,
	}
	for state, class := range want {
		if got := c.StateClass(state); got != class {
			t.Errorf("StateClass(%q) = %q, want %q", state, got, class)
		}
	}
}

func TestRefireDecide(t *testing.T) {
	c := compiled(t, `lifecycle: {refire: {resolved: {action: reopen, within: 1h}, closed: {action: comment}}}`)
	tests := []struct {
		class string
		ago   time.Duration
		want  string
	}{
		{ClassResolved, time.Hour, RefireReopen},
		{ClassResolved, time.Hour + 1, RefireLinked},
		{ClassClosed, 1000 * time.Hour, RefireComment},
		{ClassOpen, 0, RefireComment},
		{ClassCancelled, 0, RefireNew},
		{ClassMerged, 0, RefireLinked},
		{"no such class", 0, RefireNew},
	}
	for _, test := range tests {
		if got := c.Refire(test.class).Decide(test.ago); got != test.want {
			t.Errorf("%s after %v: %q, want %q", test.class, test.ago, got, test.want)
		}
	}
}

func TestBackState(t *testing.T) {
	c := compiled(t, `states: {back: {open: acknowledged}}`)
	if got, ok := c.BackState("open"); got != "acknowledged" || !ok {
		t.Errorf("BackState(open) = %q, %v", got, ok)
	}
	if got, ok := c.BackState("resolved"); ok {
		t.Errorf("BackState(resolved) = %q, want nothing", got)
	}
}

func TestTruncate(t *testing.T) {
	for _, test := range []struct {
		n          int
		text, want string
	}{{3, "abc", "abc"}, {2, "abc", "a…"}, {1, "abc", "…"}, {0, "abc", ""}, {-1, "abc", ""}, {2, "öäü", "ö…"}, {5, "", ""}} {
		if got := truncate(test.n, test.text); got != test.want {
			t.Errorf("truncate(%d, %q) = %q, want %q", test.n, test.text, got, test.want)
		}
	}
}

func TestLinkNamesOnlyWebAddresses(t *testing.T) {
	for _, test := range []struct{ text, url, want string }{
		{"graph", "https://x", "graph <https://x>"}, {"", "http://x", "http://x"},
		{"graph", "javascript:alert(1)", "graph"}, {"graph", "", "graph"},
	} {
		if got := link(test.text, test.url); got != test.want {
			t.Errorf("link(%q, %q) = %q, want %q", test.text, test.url, got, test.want)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	c := compiled(b, `subscription: has(labels.instance) && labels.instance == "db1" && severity in ["critical", "warning"]`)
	a := diskFull()
	for b.Loop() {
		c.Matches(a)
	}
}

func TestRetention(t *testing.T) {
	for days, want := range map[string]time.Duration{
		"":                      90 * 24 * time.Hour,
		"retention: {days: 0}":  0,
		"retention: {days: 14}": 14 * 24 * time.Hour,
	} {
		if got := compiled(t, days).Keep(); got != want {
			t.Errorf("%q keeps closed alerts for %v, not %v", days, got, want)
		}
	}
	c := compiled(t, "lifecycle: {refire: {open: {action: comment}, resolved: {action: reopen, within: 48h}, closed: {action: linked}}}")
	for _, e := range []struct {
		state string
		ago   time.Duration
		want  bool
	}{
		{"open", 1000 * time.Hour, true},
		{"resolved", 47 * time.Hour, true},
		{"resolved", 49 * time.Hour, false},
		{"closed", time.Hour, false}, // it is mentioned, not used
	} {
		if got := c.UsesEarlier(e.state, e.ago); got != e.want {
			t.Errorf("an earlier ticket in state %s, closed %v ago: used %v", e.state, e.ago, got)
		}
	}
}
