package api

import (
	"encoding/json"
	"testing"
	"time"

	"tieline/internal/service/availability"
)

// TestActiveHistoryIsWhatTheConsoleDraws: each time with an Active, and each gap with
// what is known of its begin.
func TestActiveHistoryIsWhatTheConsoleDraws(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	gap := availability.Gap{From: at(60), Latest: at(90), To: at(100), Reason: "silence", Of: "ams1"}
	open := availability.Gap{From: at(200), Latest: at(200), To: at(300), Of: "fra1", Open: true}
	text, err := json.Marshal(showActiveHistory("desk", availability.History{
		Since: noon, Until: at(300), Complete: true, Gaps: []availability.Gap{gap, open}, Nobody: &open,
		Bands: []availability.Band{{Server: "ams1", Epoch: 1, From: noon, To: at(60), Earlier: true}, {Server: "fra1", Epoch: 2, From: at(100), To: at(200)}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"connector":"desk","since":"2026-11-22T12:00:00Z","until":"2026-11-22T12:05:00Z","complete":true,` +
		`"active":[{"server":"ams1","epoch":1,"from":"2026-11-22T12:00:00Z","to":"2026-11-22T12:01:00Z","open":false,"earlier":true},` +
		`{"server":"fra1","epoch":2,"from":"2026-11-22T12:01:40Z","to":"2026-11-22T12:03:20Z","open":false,"earlier":false}],` +
		`"gaps":[{"from":"2026-11-22T12:01:00Z","latest":"2026-11-22T12:01:30Z","to":"2026-11-22T12:01:40Z","least_seconds":10,"most_seconds":40,"of":"ams1","reason":"silence","planned":false,"unknown":false,"open":false},` +
		`{"from":"2026-11-22T12:03:20Z","latest":"2026-11-22T12:03:20Z","to":"2026-11-22T12:05:00Z","least_seconds":100,"most_seconds":100,"of":"fra1","planned":false,"unknown":false,"open":true}],` +
		`"nobody":{"from":"2026-11-22T12:03:20Z","latest":"2026-11-22T12:03:20Z","to":"2026-11-22T12:05:00Z","least_seconds":100,"most_seconds":100,"of":"fra1","planned":false,"unknown":false,"open":true}}`
	if string(text) != want {
		t.Errorf("shown as\n%s\nwant\n%s", text, want)
	}
}
