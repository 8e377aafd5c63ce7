package alertmanager

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// serve returns the parts of a source whose Alertmanager answers as told.
func serve(t *testing.T, answer http.HandlerFunc) source.Parts {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	parts, err := New(source.Settings{Name: "am", URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestListNoticesARestart(t *testing.T) {
	started := 0
	parts := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v2/status" {
			started++
			fmt.Fprintf(w, `{"uptime":"%d"}`, started)
			return
		}
		fmt.Fprint(w, `[]`)
	})
	if _, _, err := parts.Lister.List(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("err = %v: a list that may be of two lives was believed", err)
	}
}

// TestListRefusesHalfAList: a list that cannot be read in full must not look as
// if the rest had gone.
func TestListRefusesHalfAList(t *testing.T) {
	for name, list := range map[string]string{
		"wrong field": `[{"labels":{"alertname":"A"}},{"labels":{"alertname":7}}]`,
		"no list":     `{"data":[]}`,
		"no JSON":     `<html>`,
		"empty":       ``,
	} {
		t.Run(name, func(t *testing.T) {
			parts := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/api/v2/status" {
					fmt.Fprint(w, `{"uptime":"1"}`)
					return
				}
				fmt.Fprint(w, list)
			})
			if open, _, err := parts.Lister.List(t.Context()); err == nil {
				t.Errorf("gave %v", open)
			}
		})
	}
}

func TestWriteRefusesWhatAlertmanagerCannotShow(t *testing.T) {
	parts := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("Alertmanager was called") })
	err := parts.Writer.Write(t.Context(), source.Update{State: "closed"})
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("err = %v, want a permanent one", err)
	}
}

// TestWriteAsksForOneLabel: the value is quoted as Alertmanager's matchers are,
// or not asked for where quoting could be misread.
func TestWriteAsksForOneLabel(t *testing.T) {
	for name, want := range map[string]string{"DiskFull": `alertname="DiskFull"`, `odd"name`: "", `back\slash`: "", "": ""} {
		var asked string
		parts := serve(t, func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.Query().Get("filter")
			fmt.Fprint(w, `[]`)
		})
		a := alert.Alert{ID: alert.NewID(), Content: alert.Content{Labels: map[string]string{"alertname": name}}}
		if err := parts.Writer.Write(t.Context(), source.Update{Alert: a, State: "open"}); err != nil {
			t.Error(err)
		}
		if asked != want {
			t.Errorf("alertname %q: filter %q, want %q", name, asked, want)
		}
	}
}

func TestPartsWithoutAnAddress(t *testing.T) {
	parts, err := New(source.Settings{Name: "am"})
	if err != nil || parts.Adapter == nil || parts.Lister != nil || parts.Writer != nil {
		t.Errorf("parts = %+v, %v", parts, err)
	}
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		values map[string]string
		want   string
	}{
		"nothing":    {nil, ""},
		"all":        {map[string]string{"receiver": "hook", "silence": "1h"}, ""},
		"unknown":    {map[string]string{"reciever": "hook"}, "settings.reciever: unknown setting; known are receiver, silence"},
		"no time":    {map[string]string{"silence": "long"}, `settings.silence: expected a duration from 1m to 8784h, such as "4h"`},
		"too short":  {map[string]string{"silence": "1s"}, `settings.silence: expected a duration from 1m to 8784h, such as "4h"`},
		"for nought": {map[string]string{"silence": ""}, `settings.silence: expected a duration from 1m to 8784h, such as "4h"`},
	} {
		t.Run(name, func(t *testing.T) {
			var lines []string
			for _, p := range Check(test.values) {
				lines = append(lines, p.Path+": "+p.Message)
			}
			if diff := cmp.Diff(test.want, strings.Join(lines, "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := New(source.Settings{Name: "am", Values: test.values}); (err == nil) != (test.want == "") {
				t.Errorf("New: %v", err)
			}
		})
	}
}
