package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/alert"
	"tieline/internal/ha"
	"tieline/internal/intake"
	"tieline/internal/store"
	"tieline/test/cluster"
)

// renderBudget is what a page may take, the first after a start as well.
const renderBudget = 50 * time.Millisecond

const (
	starts   = 5  // of a console, for each page
	rendered = 20 // times that a page is asked for after the first
)

// consoleRenders measures pages over 1,000 connectors and 100,000 links, asked of
// a process that has just started, by somebody who is signed in.
func consoleRenders(ctx context.Context, env *Env) ([]Row, error) {
	c := &crowd{env: env, connectors: max(int(1000*env.Scale), 10), links: env.scaled(100_000)}
	defer c.close()
	if err := c.fill(ctx); err != nil {
		return nil, err
	}
	pages, err := c.pages(ctx)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, page := range pages {
		first, p50, err := c.best(ctx, page.path)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{
			What:     fmt.Sprintf("%s, %d connectors and %d links: first render after a start, best of %d starts, and p50 of %d more", page.name, c.connectors, c.links, starts, rendered),
			Measured: fmt.Sprintf("first %s, p50 %s", ms(first), ms(p50)),
			Budget:   "first and p50 < 50 ms", Met: first < renderBudget && p50 < renderBudget,
		})
	}
	return rows, nil
}

// page is one that is measured.
type page struct{ name, path string }

// pages are those that show many things, or read into many to show one.
func (c *crowd) pages(ctx context.Context) ([]page, error) {
	newest, err := c.db.Alerts(ctx, store.AlertQuery{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) == 0 {
		return nil, errors.New("there is no alert to look at")
	}
	one := "/connectors/" + crowdName(7)
	return []page{
		{"the overview", "/"}, {"a connector's High availability tab", one}, {"the list of alerts", "/alerts"},
		{"a connector's alerts", one + "/alerts"}, {"the parked desk", "/parked"}, {"one alert", "/alerts/" + newest[0].ID.String()},
		{"a connector's Sources tab", one + "/sources"}, {"a connector's draft", one + "/draft"}, {"the servers", "/servers"},
		{"the history", "/history"},
	}, nil
}

// crowd is a management group of many connectors, with what a page needs.
type crowd struct {
	env               *Env
	connectors, links int
	db                *store.DB
	url               string
	session           ha.Session
	cookies           []*http.Cookie // of somebody who is signed in
}

func crowdName(n int) string { return fmt.Sprintf("c%04d", n) }

func (c *crowd) close() {
	if c.session != nil {
		c.session.Close()
	}
	if c.db != nil {
		c.db.Close()
	}
}

// fill makes the group: three servers, one of them Active for every connector,
// and 100 alerts to a connector, of which 1 is parked and 10 are due.
func (c *crowd) fill(ctx context.Context) (err error) {
	if c.url, err = c.env.Database(ctx); err != nil {
		return err
	}
	if c.db, err = store.Open(ctx, c.url, store.Options{Migrate: true, MaxConns: 8}); err != nil {
		return err
	}
	if err := c.apply(ctx); err != nil {
		return err
	}
	if err := c.lead(ctx); err != nil {
		return err
	}
	if err := c.raise(ctx); err != nil {
		return err
	}
	if err := c.signIn(ctx); err != nil {
		return err
	}
	statements := append([]string{
		`UPDATE link SET parked = 'the desk refused it: there is no such queue', due_at = NULL WHERE alert_id IN (SELECT id FROM alert WHERE source_key LIKE '%00')`,
		`UPDATE link SET stage = 'settled', ticket = 'T7', delivered = wanted, due_at = NULL, delivered_at = created_at
			WHERE parked = '' AND alert_id NOT IN (SELECT id FROM alert WHERE source_key LIKE '%5')`,
	}, engines[c.env.Engine].tidy...)
	return c.env.exec(ctx, c.url, statements...)
}

func (c *crowd) apply(ctx context.Context) error {
	settings := ha.Settings{Polling: 30 * time.Second, Tolerance: 3, Failback: ha.Manual, Window: 30 * time.Second, Settle: time.Second}
	return c.each(ctx, c.connectors, func(ctx context.Context, n int) error {
		text := fmt.Sprintf("name: %s\nsources: [{name: bench, kind: generic}]\nremote: {kind: webhook, endpoints: [\"http://127.0.0.1:1\"]}\n", crowdName(n))
		_, err := c.db.SaveDocument(ctx, store.SaveDocument{Connector: crowdName(n), Text: text, Who: "bench", Settings: settings})
		return err
	})
}

// each does something for 0 to n-1, some at a time.
func (c *crowd) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range n {
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

// lead has the servers join, and the first take every lease.
func (c *crowd) lead(ctx context.Context) error {
	boot := uuid.NewString()
	for i, server := range []string{"s1", "s2", "s3"} {
		join := store.Join{Server: server, Boot: uuid.NewString(), Address: "http://" + server, Group: "bench", HighAvailability: true, Promised: 90 * time.Second}
		if i == 0 {
			join.Boot = boot
		}
		if err := c.db.Join(ctx, join); err != nil {
			return err
		}
	}
	var err error
	if c.session, err = c.db.Coordinator().Open(ctx, "s1", boot); err != nil {
		return err
	}
	group, err := c.session.Read(ctx)
	if err != nil {
		return err
	}
	for _, l := range group.Leases {
		_, err := c.session.Take(ctx, ha.Take{
			Connector: l.Connector, Epoch: l.Epoch, Beat: l.Beat, Server: "s1", Boot: boot,
			Promised: 90 * time.Second, Identity: group.Identity, Reason: ha.ReasonFirst,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// raise takes the alerts in, 100 after each other for one connector.
func (c *crowd) raise(ctx context.Context) error {
	return c.each(ctx, c.links/batch, func(ctx context.Context, b int) error {
		items := make([]intake.Observed, 0, batch)
		for n := b * batch; n < (b+1)*batch; n++ {
			to := []intake.Routing{{Connector: crowdName(n / 100 % c.connectors)}}
			items = append(items, intake.Observed{Observation: observation(n), Route: func(*alert.Alert) []intake.Routing { return to }})
		}
		_, err := c.db.Accept(ctx, intake.Batch{Server: "s1", Generation: 1, Items: items})
		return err
	})
}

// signIn makes an account and a session of it, which every console of the group takes.
func (c *crowd) signIn(ctx context.Context) error {
	accounts := access.New(c.db, "s1", nil)
	account, err := accounts.AddAccount(ctx, "bench", uuid.NewString(), access.Viewer)
	if err != nil {
		return err
	}
	group, err := c.db.Group(ctx)
	if err != nil {
		return err
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, guard.SignInPath, nil)
	g := guard.New(guard.Config{Access: accounts, Key: group.NudgeKey, Group: group.ID.String()})
	if err := g.SignIn(w, r, account, access.ViaSession); err != nil {
		return err
	}
	c.cookies = w.Result().Cookies()
	return nil
}

// best returns the fastest first render of some starts, and the fastest median of
// the renders after it: what else the machine does is no part of a page.
func (c *crowd) best(ctx context.Context, path string) (first, p50 time.Duration, err error) {
	for i := range starts {
		one, next, err := c.render(ctx, path)
		if err != nil {
			return 0, 0, err
		}
		if median := percentile(next, 50); i == 0 || median < p50 {
			p50 = median
		}
		if i == 0 || one < first {
			first = one
		}
	}
	return first, p50, nil
}

// render starts a console, asks for a page, and then again and again; the others
// are sorted.
func (c *crowd) render(ctx context.Context, path string) (first time.Duration, next []time.Duration, err error) {
	base, stop, err := c.start(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer stop()
	for i := range rendered + 1 {
		took, err := c.get(ctx, base+path)
		if err != nil {
			return 0, nil, err
		}
		if i == 0 {
			first = took
		} else {
			next = append(next, took)
		}
	}
	slices.Sort(next)
	return first, next, nil
}

// start runs "tieline console" and waits until it has reached the database.
func (c *crowd) start(ctx context.Context) (base string, stop func(), err error) {
	address, err := cluster.FreeAddress()
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(filepath.Join(c.env.Dir, "console.log"))
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(ctx, c.env.Binary, "console", "--listen", address)
	cmd.Env = append(os.Environ(), "TIELINE_DATABASE_URL="+c.url)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill() // it holds nothing
		_ = cmd.Wait()
		log.Close()
	}
	for deadline := time.Now().Add(20 * time.Second); ; pause(ctx, 50*time.Millisecond) {
		if _, err = c.get(ctx, "http://"+address+guard.SignInPath); err == nil {
			return "http://" + address, stop, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			stop()
			said, _ := os.ReadFile(log.Name())
			return "", nil, fmt.Errorf("the console did not start: %w\n%s", err, said)
		}
	}
}

// get asks for a page and returns how long all of it took to come.
func (c *crowd) get(ctx context.Context, url string) (time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	for _, cookie := range c.cookies {
		r.AddCookie(cookie)
	}
	began := time.Now()
	answer, err := http.DefaultTransport.RoundTrip(r) // which follows no redirect: a sign-in is not what is measured
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	took := time.Since(began)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %.300s", url, answer.Status, page)
	}
	return took, err
}
