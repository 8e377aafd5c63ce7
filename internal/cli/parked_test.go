package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"tieline/internal/remotetest"
)

// TestParkedAlert follows an alert that the remote refuses: parked, explained,
// retried, delivered.
func TestParkedAlert(t *testing.T) {
	desk := remotetest.NewDesk(remotetest.DeskOptions{})
	remote := httptest.NewServer(desk)
	t.Cleanup(func() {
		desk.Close()
		remote.Close()
	})
	desk.Plan(remotetest.Fault{Status: http.StatusUnprocessableEntity})
	s := newSite(t)
	s.serve("--server", "only")
	s.ok("connector", "apply", "-f", s.document(`name: default
sources: [{name: default, kind: generic}]
subscription: severity != "info"
remote:
  kind: webhook
  endpoints: [`+remote.URL+`]
  settings:
    create: {path: /tickets, ticket: body.id, state: body.state}
    update: {method: PUT, path: "/tickets/{{ path .Ticket }}"}
    probe: {path: /health}
`))
	eventually(t, "the server runs version 2", func() bool {
		var status statusView
		s.json(&status, "status")
		return status.Connectors[0].Servers[0].Runs == 2
	})
	s.ok("send", "key=a", "severity=critical", "summary=refused at first")
	s.ok("send", "key=b", "severity=info", "summary=nobody subscribes")
	var parked []alertView
	eventually(t, "the alert is parked", func() bool {
		s.json(&parked, "alert", "list", "--parked")
		return len(parked) == 1
	})
	id := parked[0].ID
	if out := s.ok("alert", "show", id); !strings.Contains(out, "parked: refused: ") || !strings.Contains(out, "422") {
		t.Errorf("the answer to why there is no ticket:\n%s", out)
	}
	if out := s.ok("alert", "list", "--parked"); !strings.Contains(out, "default:PARKED") {
		t.Errorf("the list of parked alerts:\n%s", out)
	}
	if out := s.ok("alert", "retry", "--all-parked", "--connector", "default"); !strings.Contains(out, "1 link is due now") {
		t.Errorf("the retry says %q", out)
	}
	eventually(t, "the ticket is made", func() bool { return strings.Contains(s.ok("alert", "show", id), "Ticket 1 shows revision 1") })

	var others []alertView
	s.json(&others, "alert", "list", "--text", "nobody subscribes")
	if len(others) != 1 {
		t.Fatalf("the other alert is not listed: %+v", others)
	}
	if out := s.ok("alert", "show", others[0].ID); !strings.Contains(out, `subscription does not match: severity != "info"`) {
		t.Errorf("the answer to why nothing is sent:\n%s", out)
	}
	if r := s.run("reconcile", "default"); r.code != 7 || !strings.Contains(r.err, "cannot list") {
		t.Errorf("a reconcile run with a remote that lists nothing: %+v", r)
	}
	if r := s.run("reconcile", "none"); r.code != 3 {
		t.Errorf("a reconcile run of no connector: %+v", r)
	}
}
