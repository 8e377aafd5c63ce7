package generic

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/secret"
	"tieline/internal/source"
)

func TestWritePostsTheCallback(t *testing.T) {
	var got Callback
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if r.Header.Get("Authorization") != "Bearer hunter2" || r.URL.Path != "/alerts" {
			t.Errorf("%s, Authorization %q", r.URL, r.Header.Get("Authorization"))
		}
	}))
	t.Cleanup(server.Close)
	parts, err := New(source.Settings{Name: "s", Token: secret.New("hunter2"), Values: map[string]string{"callback": server.URL + "/alerts"}})
	if err != nil {
		t.Fatal(err)
	}
	ends := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	id := uuid.MustParse("6ba7b810-9dad-41d1-80b4-00c04fd430c8")
	u := source.Update{
		Key: "tl-1-1", State: "acknowledged", Ticket: "17", TicketURL: "http://rt/17", Connector: "c", Revision: 2,
		Alert: alert.Alert{ID: id, Source: "s", Key: "backup/db1", Status: alert.Closed, EndsAt: ends},
	}
	later := u
	later.Revision = 3
	for _, update := range []source.Update{u, u, later} {
		if err := parts.Writer.Write(t.Context(), update); err != nil {
			t.Fatal(err)
		}
	}
	want := Callback{
		Alert: id.String(), Source: "s", Key: "backup/db1", Status: alert.Closed, State: "acknowledged",
		Ticket: "17", TicketURL: "http://rt/17", Connector: "c", Revision: 3, EndsAt: &ends,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callback (-want +got):\n%s", diff)
	}
	if keys[0] != keys[1] || keys[1] == keys[2] || keys[0] == "" {
		t.Errorf("idempotency keys %q: repeats have the same, others another", keys)
	}
}

func TestCheck(t *testing.T) {
	for address, want := range map[string]string{
		"http://jobs:8000/x": "", "https://jobs": "",
		"jobs:8000": "expected an address", "": "expected an address", "ftp://x": "expected an address",
		"http://u:hunter2@jobs": "must not carry credentials",
	} {
		problems := Check(map[string]string{"callback": address})
		if (len(problems) > 0) != (want != "") || want != "" && !strings.Contains(problems[0].Message, want) {
			t.Errorf("%q: %v", address, problems)
		}
	}
	if problems := Check(map[string]string{"calback": "x"}); len(problems) != 1 || problems[0].Path != "settings.calback" {
		t.Errorf("a misspelt setting: %v", problems)
	}
	parts, err := New(source.Settings{Name: "s"})
	if err != nil || parts.Writer != nil || parts.Lister != nil {
		t.Errorf("parts without a callback: %+v, %v", parts, err)
	}
}
