package generic

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
	"tieline/internal/sourcetest"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Format{
		Adapter: &Adapter{name: "scripts"}, Source: "scripts",
		Body: func(alerts ...sourcetest.Alert) []byte {
			list := make([]map[string]any, 0)
			for _, a := range alerts {
				list = append(list, map[string]any{"status": a.Status, "labels": a.Labels, "url": a.URL})
			}
			text, _ := json.Marshal(map[string]any{"alerts": list})
			return text
		},
		Label:  func(i int, name string) string { return fmt.Sprintf("alerts[%d].labels.%s", i, name) },
		Status: func(i int) string { return fmt.Sprintf("alerts[%d].status", i) },
		URL:    func(i int) string { return fmt.Sprintf("alerts[%d].url", i) },
	})
}

func TestParseReadsEverything(t *testing.T) {
	text := `{"key": "backup/db1", "status": "resolved", "severity": "major", "summary": "backup failed",
		"description": "no space", "labels": {"host": "db1"}, "annotations": {"run": "7"}, "url": "http://jobs/7",
		"starts_at": "2026-11-22T16:00:00.1234567+01:00", "ends_at": "2026-11-22T16:00:00Z"}`
	want := alert.Observation{
		Source: "s", Key: "backup/db1", Status: alert.Closed,
		StartsAt: time.Date(2026, 11, 22, 15, 0, 0, 123456000, time.UTC),
		EndsAt:   time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC),
		Content: alert.Content{
			Severity: "major", Summary: "backup failed", Description: "no space", URL: "http://jobs/7",
			Labels: map[string]string{"host": "db1"}, Annotations: map[string]string{"run": "7"},
		},
	}
	for name, body := range map[string]string{"single": text, "list": "[" + text + "]", "wrapped": `{"alerts": [` + text + `]}`} {
		t.Run(name, func(t *testing.T) {
			got, err := (&Adapter{name: "s"}).Parse([]byte(body), source.Limits{})
			if err != nil {
				t.Fatal(fault.Message(err))
			}
			if diff := cmp.Diff([]alert.Observation{want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseMakesKeys(t *testing.T) {
	key := func(body string) string {
		got, err := (&Adapter{name: "s"}).Parse([]byte(body), source.Limits{})
		if err != nil {
			t.Fatal(fault.Message(err))
		}
		return got[0].Key
	}
	byLabels := key(`{"labels": {"a": "1", "b": "2"}, "summary": "x"}`)
	if again := key(`{"status": "closed", "labels": {"b": "2", "a": "1"}, "summary": "y"}`); again != byLabels {
		t.Errorf("the same labels gave keys %s and %s", byLabels, again)
	}
	if other := key(`{"labels": {"a": "12", "b": ""}}`); other == byLabels {
		t.Error("other labels gave the same key")
	}
	if key(`{"summary": "x"}`) != key(`{"summary": "x", "severity": "major"}`) {
		t.Error("the same summary gave two keys")
	}
}

const early = "the time is not after the beginning of 1970; leave it out where there is none"

// TestParseTakesTheZeroTimeForNone: Go programs write it.
func TestParseTakesTheZeroTimeForNone(t *testing.T) {
	got, err := (&Adapter{name: "s"}).Parse([]byte(`{"key": "k", "starts_at": "0001-01-01T00:00:00Z", "ends_at": "0001-01-01T00:00:00Z"}`), source.Limits{})
	if err != nil || !got[0].StartsAt.IsZero() || !got[0].EndsAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestParseNamesWhatIsWrong(t *testing.T) {
	tests := map[string]struct {
		body string
		want []fault.Problem
	}{
		"every field": {
			`[{"key": 1, "staus": "open", "starts_at": "yesterday", "labels": {"a": null, "b c": true, "": "x"}}, 7, {"severity": "x"}]`,
			[]fault.Problem{
				{Path: "[0].staus", Message: "unknown field; known are " + strings.Join(known, ", ")},
				{Path: "[0].key", Message: "expected a text, found a number"},
				{Path: "[0].starts_at", Message: `expected a time such as "2026-01-31T12:00:00Z", found "yesterday"`},
				{Path: "[0].labels", Message: "a name is empty"},
				{Path: "[0].labels.a", Message: "expected a text, found null"},
				{Path: `[0].labels["b c"]`, Message: "expected a text, found true or false"},
				{Path: "[1]", Message: "expected an object, found a number"},
				{Path: "[2].key", Message: "give a key, labels or a summary, so that the alert can be told from others"},
			},
		},
		"beside alerts": {
			`{"alerts": [], "alert": 1}`,
			[]fault.Problem{{Path: "alert", Message: "unknown field; known are alerts"}},
		},
		"end before start": {
			`{"key": "k", "status": "closed", "starts_at": "2026-01-02T00:00:00Z", "ends_at": "2026-01-01T00:00:00Z"}`,
			[]fault.Problem{{Path: "ends_at", Message: "the end is before starts_at"}},
		},
		"end of an open one": {
			`[{"key": "k", "ends_at": "2026-01-01T00:00:00Z"}, {"key": "k", "status": "gone", "ends_at": "2026-01-01T00:00:00Z"}]`,
			[]fault.Problem{
				{Path: "[0].ends_at", Message: `an open alert has not ended; send status "closed", or leave ends_at out`},
				{Path: "[1].status", Message: `expected open, firing, closed or resolved, found "gone"`},
			},
		},
		"early times": {
			`[{"key": "k", "starts_at": "1969-12-31T23:59:59.999Z"}, {"key": "k", "starts_at": "0001-01-01T00:00:01Z"},
			{"key": "k", "status": "closed", "ends_at": "1970-01-01T00:00:00Z"}]`,
			[]fault.Problem{{Path: "[0].starts_at", Message: early}, {Path: "[1].starts_at", Message: early}, {Path: "[2].ends_at", Message: early}},
		},
		"blank": {
			`[{"key": "  "}, {"key": "\t\u00a0", "labels": {"a": "b"}}, {"summary": " "}]`,
			[]fault.Problem{
				{Path: "[0].key", Message: "the text is blank; leave it out, or name the problem"},
				{Path: "[1].key", Message: "the text is blank; leave it out, or name the problem"},
				{Path: "[2].key", Message: "give a key, labels or a summary, so that the alert can be told from others"},
			},
		},
		"long key": {
			`{"key": "` + strings.Repeat("k", 1025) + `"}`,
			[]fault.Problem{{Path: "key", Message: "1025 bytes are too many; at most 1024"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := (&Adapter{name: "s"}).Parse([]byte(test.body), source.Limits{})
			if diff := cmp.Diff(test.want, fault.ProblemsOf(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseListsABoundedNumberOfProblems(t *testing.T) {
	_, err := (&Adapter{name: "s"}).Parse([]byte("["+strings.Repeat("1,", 499)+"1]"), source.Limits{})
	problems := fault.ProblemsOf(err)
	if len(problems) != 101 || problems[100].Message != "and 400 more" {
		t.Errorf("%d problems, the last: %v", len(problems), problems[len(problems)-1])
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"key": "k", "status": "closed", "labels": {"a": "b"}, "starts_at": "2026-01-02T00:00:00Z"}`))
	f.Add([]byte(`{"alerts": [{"summary": "x", "annotations": {"a": "\u0000"}}]}`))
	f.Add([]byte("[{\"summary\": \"\xff\"}, {\"url\": 1e400}]"))
	f.Add([]byte(`[{"key": "\ud800"}, {"key": "\udfff\ud83d"}, {"key": "\ud83d\ude00\ufffd", "ends_at": "1969-01-01T00:00:00Z"}]`))
	f.Fuzz(func(t *testing.T, body []byte) { sourcetest.Fuzz(t, &Adapter{name: "s"}, body) })
}

func BenchmarkParse(b *testing.B) {
	one := `{"key": "backup/db1", "status": "firing", "severity": "major", "summary": "backup failed", "labels": {"host": "db1", "site": "test", "team": "web"}, "annotations": {"description": "` + strings.Repeat("text ", 60) + `"}}`
	body := []byte("[" + strings.Repeat(one+",", 99) + one + "]")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := (&Adapter{name: "s"}).Parse(body, source.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
