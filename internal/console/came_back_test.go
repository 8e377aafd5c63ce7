package console_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhatCameBack: a headline has the status and the other side's own message, and
// all that came back stands below it, as text, in a box of its own.
func TestWhatCameBack(t *testing.T) {
	const (
		called = "refused: create a ticket: http://desk answered "
		nginx  = `<html> <head><title>413 Request Entity Too Large</title></head> <body> <center><h1>413 Request Entity Too Large</h1></center> <hr><center>nginx/1.22.1</center> <script>alert(1)</script>`
	)
	for _, c := range []struct{ answer, headline string }{
		{"413 Request Entity Too Large: " + nginx, "413 Request Entity Too Large"},
		{`403 Forbidden: {"message":"No permission to create tickets in the queue <Nope>"}`, "403 Forbidden: No permission to create tickets in the queue &lt;Nope>"},
		{"400 Bad Request: " + strings.Repeat("the queue is full, ", 200), "400 Bad Request: " + strings.Repeat("the queue is full, ", 8) + "the…"},
	} {
		b := newBench(t)
		b.connector()
		b.parked(1)
		whole := called + c.answer
		b.sql(`UPDATE link SET parked = '` + strings.ReplaceAll(whole, "'", "''") + `'`)
		b.sql(`INSERT INTO timeline (alert_id, connector, at, server, epoch, kind, text, endpoint, took, revision, ticket)
			SELECT alert_id, 'desk', 1, 'ams1', 1, 'parked', parked, 'http://desk', 0, 1, '' FROM link`)
		for _, path := range []string{"/parked", b.walk()["GET /alerts/{alert}"]} {
			page := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&gt;", ">").Replace(b.get(path, http.StatusOK))
			for _, want := range []string{
				called + c.headline + "<", // on the alert's page in the timeline
				`<pre class="code came-back" tabindex="0" aria-label="What came back">` + strings.ReplaceAll(strings.TrimSpace(whole), "<", "&lt;"),
			} {
				if !strings.Contains(page, want) {
					t.Errorf("%s has no %q", path, want)
				}
			}
			if path != "/parked" && !strings.Contains(page, `<p class="lead">No ticket yet: `+called+c.headline+".") {
				t.Errorf("the headline of %s is another", path)
			}
			if strings.Contains(page, "<script>alert") || strings.Count(page, "nginx/1.22.1") > strings.Count(page, "came-back") {
				t.Errorf("%s shows what came back as it is", path)
			}
		}
	}
}
