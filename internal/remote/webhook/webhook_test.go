package webhook

import (
	"net/http/httptest"
	"testing"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
	"tieline/internal/secret"
)

const token = "desk-secret-token"

// at returns an adapter for a desk's settings at other endpoints.
func at(t *testing.T, s remote.Settings) remote.Adapter {
	t.Helper()
	s.Token = "env:DESK_TOKEN"
	s.Resolve = func(r secret.Ref) (secret.String, error) {
		if r == "" {
			return secret.String{}, nil
		}
		return secret.New(token), nil
	}
	a, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func serve(t *testing.T, o remotetest.DeskOptions) (*remotetest.Desk, string) {
	o.Token = token
	desk := remotetest.NewDesk(o)
	server := httptest.NewServer(desk)
	t.Cleanup(func() { desk.Close(); server.Close() })
	return desk, server.URL
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct{ lookup, deduplicate bool }{
		"lookup": {lookup: true}, "idempotent": {deduplicate: true}, "neither": {},
	} {
		t.Run(name, func(t *testing.T) {
			desk, url := serve(t, remotetest.DeskOptions{Deduplicate: c.deduplicate})
			settings := desk.Settings(url, c.lookup)
			remotetest.Run(t, remotetest.Harness{
				Working: func(t *testing.T) remote.Adapter { return at(t, settings) },
				Broken: func(t *testing.T, timeout time.Duration, endpoints ...string) remote.Adapter {
					s := settings
					s.Endpoints, s.Timeout = endpoints, timeout
					return at(t, s)
				},
				Secrets: []string{token},
				Open:    "open", Closed: "resolved", Missing: "4711",
				Fields:    map[string]string{"team": "storage"},
				NotesOnce: c.deduplicate,
				Notes: func(t *testing.T, ticket string, _ alert.Key) []string {
					for _, x := range desk.Tickets() {
						if x.ID == ticket {
							return x.Notes
						}
					}
					return nil
				},
			})
		})
	}
}
