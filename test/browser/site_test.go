package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/jackc/pgx/v5"

	"tieline/test/cluster"
)

// engines are the databases that every test of the console runs on.
var engines = []string{"sqlite", "postgres"}

// site is a management group: servers over one database, and a ticket desk.
type site struct {
	*cluster.Cluster
	engine string
	url    string // of the database
	desk   *ticketDesk
	undo   []func()

	signing  sync.Mutex
	sessions map[string][]*network.CookieParam // of people who signed in, by name
}

// siteOptions are what a site is made of.
type siteOptions struct {
	servers []string // names; nil = ams1 and fra1
	env     []string // more TIELINE_* settings
}

// onEach runs a test on every database, each with a site of its own.
func onEach(t *testing.T, o siteOptions, f func(t *testing.T, s *site)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f(t, newSite(t, engine, o))
		})
	}
}

// newSite starts a site that ends with the test.
func newSite(t *testing.T, engine string, o siteOptions) *site {
	t.Helper()
	s, err := startSite(engine, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.logs(t)
		s.close()
	})
	return s
}

// logs shows the ends of the servers' logs when the test has failed.
func (s *site) logs(t *testing.T) {
	if !t.Failed() {
		return
	}
	for _, server := range s.Servers {
		t.Logf("the log of %s ends: %s", server.Name, server.LogTail(3000))
	}
}

// startSite starts servers that are ready, with the three accounts.
func startSite(engine string, o siteOptions) (s *site, err error) {
	s = &site{engine: engine, desk: newTicketDesk()}
	s.undo = append(s.undo, s.desk.close)
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	dir, err := os.MkdirTemp("", "tieline-browser-site")
	if err != nil {
		return s, err
	}
	s.undo = append(s.undo, func() { os.RemoveAll(dir) })
	if s.url, err = s.database(dir); err != nil {
		return s, err
	}
	if o.servers == nil {
		o.servers = []string{"ams1", "fra1"}
	}
	s.Cluster, err = cluster.New(cluster.Config{
		Binary: binary, Dir: dir, Names: o.servers, Env: o.env, Database: func(string) string { return s.url },
	})
	if err != nil {
		return s, err
	}
	s.undo = append(s.undo, s.Cluster.Close)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.StartAll(ctx); err != nil {
		return s, err
	}
	return s, s.addAccounts(ctx)
}

func (s *site) close() {
	for i := len(s.undo) - 1; i >= 0; i-- {
		s.undo[i]()
	}
	s.undo = nil
}

var databases atomic.Int32

// database returns the URL of an empty database.
func (s *site) database(dir string) (string, error) {
	if s.engine == "sqlite" {
		return "sqlite:" + filepath.Join(dir, "tieline.db"), nil
	}
	u, err := url.Parse(os.Getenv("TIELINE_TEST_POSTGRES_URL"))
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("TIELINE_TEST_POSTGRES_URL names no server (test/peers/postgres.sh starts one): %v", err)
	}
	name := fmt.Sprintf("tieline_browser_%d_%d", os.Getpid(), databases.Add(1))
	if err := execute(u.String(), "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	server := u.String()
	s.undo = append(s.undo, func() {
		if err := execute(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	u.Path = "/" + name
	return u.String(), nil
}

func execute(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// document is a connector that sends to the site's desk what the source of the
// same name raises; more is put at its end.
func (s *site) document(name, more string) string {
	return fmt.Sprintf(`name: %[1]s
sources: [{name: %[1]s, kind: generic}]
remote:
  kind: webhook
  endpoints: [%[2]s]
  settings:
    settle: 1s
    create: {path: /tickets, ticket: body.id, state: body.state, url: '"%[2]s/show/" + body.id'}
    update: {method: PUT, path: "/tickets/{{ path .Ticket }}"}
    note: {path: "/tickets/{{ path .Ticket }}/notes"}
    lookup: {path: "/tickets?key={{ urlquery .Key }}", tickets: body.tickets}
    probe: {path: /health}
%[3]s`, name, s.desk.server.URL, more)
}

// apply applies a document and waits until some server is Active for it.
func (s *site) apply(document string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Apply(ctx, document); err != nil {
		return err
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(document, "name: "), "\n")
	_, err := s.WaitActive(ctx, name, nil)
	return err
}

// raised is an alert as a generic source tells it.
type raised struct {
	Key         string            `json:"key"`
	Status      string            `json:"status,omitempty"`
	Severity    string            `json:"severity,omitempty"`
	Summary     string            `json:"summary,omitempty"`
	Description string            `json:"description,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	URL         string            `json:"url,omitempty"`
}

// raise has the first server that lives take alerts in.
func (s *site) raise(source string, alerts ...raised) error {
	body, err := json.Marshal(map[string]any{"alerts": alerts})
	if err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		err := s.post(source, string(body))
		// A source is known to a server a moment after its document was applied.
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (s *site) post(source, body string) error {
	for _, server := range s.Servers {
		if !server.Alive() {
			continue
		}
		resp, err := http.Post(server.URL+"/v1/sources/"+source, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("%s answered %s", server.Name, resp.Status)
		}
		return nil
	}
	return errors.New("no server runs")
}

// listed is an alert as the command line lists it.
type listed struct {
	ID      string `json:"id"`
	Key     string `json:"key"`
	Summary string `json:"summary"`
	Links   []struct {
		Connector string `json:"connector"`
		Side      string `json:"side"`
		Ticket    string `json:"ticket"`
		Parked    string `json:"parked"`
		Skipped   string `json:"skipped"`
		Attempts  int    `json:"attempts"`
		Due       bool   `json:"due"`
	} `json:"links"`
}

// alert returns the alert with a key once the condition holds for it.
func (s *site) alert(key string, condition func(listed) bool) (listed, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		out, err := s.Run(ctx, "alert", "list", "--text", key, "--limit", "1000", "-o", "json")
		if err != nil {
			return listed{}, err
		}
		var all []listed
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			return listed{}, err
		}
		for _, a := range all {
			if a.Key == key && condition(a) {
				return a, nil
			}
		}
		select {
		case <-ctx.Done():
			return listed{}, fmt.Errorf("alert %s does not come to it; the list: %s", key, out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func delivered(a listed) bool { return len(a.Links) > 0 && a.Links[0].Ticket != "" && !a.Links[0].Due }
func parked(a listed) bool    { return len(a.Links) > 0 && a.Links[0].Parked != "" }
func failing(a listed) bool   { return len(a.Links) > 0 && a.Links[0].Attempts > 0 }
func known(listed) bool       { return true }
