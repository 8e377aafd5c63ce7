package alertmanager

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
	"tieline/internal/sourcetest"
)

func TestConformance(t *testing.T) {
	words := map[alert.Status]string{alert.Open: "firing", alert.Closed: "resolved"}
	sourcetest.Run(t, sourcetest.Format{
		Adapter: &Adapter{name: "am"}, Source: "am",
		Body: func(alerts ...sourcetest.Alert) []byte {
			list := make([]map[string]any, 0)
			for _, a := range alerts {
				list = append(list, map[string]any{"status": words[a.Status], "labels": a.Labels, "generatorURL": a.URL})
			}
			text, _ := json.Marshal(map[string]any{"version": "4", "alerts": list})
			return text
		},
		Label:  func(i int, name string) string { return fmt.Sprintf("alerts[%d].labels.%s", i, name) },
		Status: func(i int) string { return fmt.Sprintf("alerts[%d].status", i) },
		URL:    func(i int) string { return fmt.Sprintf("alerts[%d].generatorURL", i) },
	})
}

// webhook is what Alertmanager 0.25 posted.
const webhook = `{"receiver":"hook","status":"firing","alerts":[
{"status":"firing","labels":{"alertname":"DiskFull","instance":"db1","severity":"critical"},"annotations":{"summary":"disk full on db1"},"startsAt":"2026-11-22T15:26:03Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?x=1","fingerprint":"e94c744ae3d44df8"},
{"status":"resolved","labels":{"alertname":"CPU"},"annotations":{"description":"hot"},"startsAt":"2026-11-22T15:26:03.123456789Z","endsAt":"2026-11-22T15:27:03Z","generatorURL":""}],
"groupLabels":{"alertname":"DiskFull"},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://vm:20003","version":"4","groupKey":"{}:{}","truncatedAlerts":3,"added":{"later":true}}`

func TestParseReadsTheWebhook(t *testing.T) {
	got, err := (&Adapter{name: "am"}).Parse([]byte(webhook), source.Limits{})
	if err != nil {
		t.Fatal(fault.Message(err))
	}
	began := time.Date(2026, 11, 22, 15, 26, 3, 0, time.UTC)
	want := []alert.Observation{
		{
			Source: "am", Key: "e94c744ae3d44df8", Status: alert.Open, StartsAt: began,
			Content: alert.Content{
				Severity: "critical", Summary: "disk full on db1", URL: "http://prom/graph?x=1",
				Labels:      map[string]string{"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
				Annotations: map[string]string{"summary": "disk full on db1"},
			},
		},
		{
			Source: "am", Key: fingerprint(map[string]string{"alertname": "CPU"}), Status: alert.Closed,
			StartsAt: began.Add(123 * time.Millisecond), EndsAt: began.Add(time.Minute),
			Content: alert.Content{
				Summary: "CPU", Description: "hot",
				Labels: map[string]string{"alertname": "CPU"}, Annotations: map[string]string{"description": "hot"},
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFingerprint holds the hash against what Alertmanager 0.25 answered.
func TestFingerprint(t *testing.T) {
	for want, labels := range map[string]map[string]string{
		"e94c744ae3d44df8": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
		"7c79abc1be6a562a": {"alertname": "Ö", "b": `x"y`},
	} {
		if got := fingerprint(labels); got != want {
			t.Errorf("fingerprint(%v) = %s, want %s", labels, got, want)
		}
	}
}

func TestParseRefusesOtherVersions(t *testing.T) {
	_, err := (&Adapter{name: "am"}).Parse([]byte(`{"version":"5","alerts":[{"status":"firing"}]}`), source.Limits{})
	want := []fault.Problem{
		{Path: "version", Message: `expected "4", Alertmanager's webhook, found "5"`},
		{Path: "alerts[0].labels", Message: "an alert has at least one label"},
	}
	if diff := cmp.Diff(want, fault.ProblemsOf(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseTellsWhatWasLeftOut(t *testing.T) {
	for text, want := range map[string]int{
		`{"version":"4","alerts":[]}`: 0, `{"version":"4","alerts":[],"truncatedAlerts":0}`: 0,
		`{"version":"4","alerts":[],"truncatedAlerts":7}`: 7, `{"version":"4","alerts":[],"truncatedAlerts":null}`: 0,
	} {
		if _, omitted, err := (&Adapter{name: "am"}).ParseOmitting([]byte(text), source.Limits{}); err != nil || omitted != want {
			t.Errorf("%s: %d left out, %v", text, omitted, err)
		}
	}
	for _, odd := range []string{"-1", "1.5", `"7"`, "99999999999", "[]"} {
		_, _, err := (&Adapter{name: "am"}).ParseOmitting([]byte(`{"version":"4","alerts":[],"truncatedAlerts":`+odd+`}`), source.Limits{})
		if p := fault.ProblemsOf(err); len(p) != 1 || p[0].Path != "truncatedAlerts" {
			t.Errorf("%s: %v", odd, err)
		}
	}
}

func TestParseRefusesABlankFingerprint(t *testing.T) {
	_, err := (&Adapter{name: "am"}).Parse([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"a":"b"},"fingerprint":" "}]}`), source.Limits{})
	want := []fault.Problem{{Path: "alerts[0].fingerprint", Message: "the text is blank; leave it out, or name the problem"}}
	if diff := cmp.Diff(want, fault.ProblemsOf(err)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestParsePassesOverEarlyTimes: whoever told Alertmanager of the alert wrote
// them, and Alertmanager would drop what is refused.
func TestParsePassesOverEarlyTimes(t *testing.T) {
	got, err := (&Adapter{name: "am"}).Parse([]byte(`{"version":"4","alerts":[
		{"status":"resolved","labels":{"a":"b"},"startsAt":"1960-01-01T00:00:00Z","endsAt":"1970-01-01T00:00:00Z"},
		{"status":"firing","labels":{"a":"b"},"endsAt":"2126-01-01T00:00:00Z"}]}`), source.Limits{})
	if err != nil || !got[0].StartsAt.IsZero() || !got[0].EndsAt.IsZero() || !got[1].EndsAt.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(webhook))
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"a":"\ud800"},"startsAt":"9999-12-31T23:59:59-23:59"}]}`))
	f.Add([]byte(`{"version":"4","alerts":[{"status":"firing","labels":{"\ude00\ud83d":"\ud83d\ude00\ufffd"},"fingerprint":"\uDFFF"}]}`))
	f.Fuzz(func(t *testing.T, body []byte) { sourcetest.Fuzz(t, &Adapter{name: "s"}, body) })
}
