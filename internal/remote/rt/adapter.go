package rt

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/remote"
	"tieline/internal/secret"
)

// Adapter is a Request Tracker.
type Adapter struct {
	config
	client *remote.Client

	mu     sync.Mutex
	known  map[string]knownFields // custom fields by queue
	myself string                 // our user's name, "" = not yet seen
}

var (
	_ remote.Looker   = (*Adapter)(nil)
	_ remote.Comparer = (*Adapter)(nil)
	_ remote.Merger   = (*Adapter)(nil)
	_ remote.Noter    = (*Adapter)(nil)
	_ remote.Poller   = (*Adapter)(nil)
	_ remote.Lister   = (*Adapter)(nil)
)

// New returns the adapter for a Request Tracker.
func New(s remote.Settings) (remote.Adapter, error) {
	c, endpoints, problems := read(s)
	if len(problems) > 0 {
		return nil, fault.InvalidInput("the remote's settings are not valid", problems)
	}
	token, err := s.Secret("remote.token", s.Token)
	if err != nil {
		return nil, err
	}
	password, err := s.Secret("remote.password", s.Password)
	if err != nil {
		return nil, err
	}
	client, err := remote.NewClient(s, endpoints, remote.ClientOptions{
		User: s.User, Secrets: []secret.String{token, password}, Explain: explain, CAFile: c.caFile,
		Authorize: func(r *http.Request) {
			if token.IsZero() {
				r.SetBasicAuth(s.User, password.Reveal())
				return
			}
			r.Header.Set("Authorization", "token "+token.Reveal())
		},
	})
	if err != nil {
		return nil, err
	}
	if c.webURL == "" {
		first := *endpoints.First()
		first.RawQuery = ""
		c.webURL = strings.TrimSuffix(first.String(), restPath)
	}
	return &Adapter{config: c, client: client, known: map[string]knownFields{}, myself: s.User}, nil
}

// Traits implements remote.Adapter.
func (a *Adapter) Traits() remote.Traits {
	return remote.Traits{Guarantee: remote.Lookup, Settle: a.settle}
}

// Probe implements remote.Adapter: it reads the queue.
func (a *Adapter) Probe(ctx context.Context) error {
	_, err := a.get(ctx, "read the queue", "/queue/"+url.PathEscape(a.queue), nil, nil)
	return err
}

// explain finds the message in an error answer.
func explain(body []byte) string {
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &m) == nil && m.Message != "" {
		return m.Message
	}
	return ""
}

// get reads a resource into v (nil = not read) and returns its entity tag.
func (a *Adapter) get(ctx context.Context, what, path string, query url.Values, v any) (etag string, err error) {
	answer, err := a.client.Do(ctx, remote.Request{Method: http.MethodGet, Path: path, Query: query, What: what})
	if err != nil || v == nil {
		return "", err
	}
	if err := json.Unmarshal(answer.Body, v); err != nil {
		return "", a.client.Unreadable(answer, err)
	}
	return answer.Header.Get("ETag"), nil
}

// send writes; the answer's body is read into v (nil = not read).
func (a *Adapter) send(ctx context.Context, what, method, path, ifMatch string, body, v any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return remote.Refuse("%s: the request cannot be written as JSON", what)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if ifMatch != "" {
		header.Set("If-Match", ifMatch)
	}
	answer, err := a.client.Do(ctx, remote.Request{
		Method: method, Path: path, Header: header, Body: text, Write: true, What: what,
	})
	if err != nil || v == nil {
		return err
	}
	if err := json.Unmarshal(answer.Body, v); err != nil {
		return a.client.Unreadable(answer, err)
	}
	return nil
}

// ticket reads a ticket by its id; that of a merged ticket gives the survivor.
func (a *Adapter) ticket(ctx context.Context, id string) (record, string, error) {
	if !isNumber(id) {
		return nil, "", remote.Refuse("%q is no ticket number of Request Tracker", a.client.Text(id))
	}
	var t record
	etag, err := a.get(ctx, "read ticket "+id, "/ticket/"+id, nil, &t)
	if remote.Status(err) == http.StatusNotFound {
		return nil, "", remote.Gone(id)
	}
	return t, etag, err
}

// alive reads a ticket that is to be told something of an alert. One that people
// deleted or merged away would take it and show it to nobody.
func (a *Adapter) alive(ctx context.Context, id string, k alert.Key) (record, string, error) {
	t, etag, err := a.ticket(ctx, id)
	switch {
	case err != nil:
		return nil, "", err
	case t.text("Status") == deleted:
		return nil, "", &remote.Failure{Class: remote.Permanent, Msg: "ticket " + id + " was deleted in Request Tracker", Err: remote.ErrGone}
	case a.strange(t, id, k):
		return nil, "", &remote.Failure{Class: remote.Permanent, Err: remote.ErrMerged, Msg: fmt.Sprintf(
			"ticket %s was merged in Request Tracker into ticket %s, which is not this alert's and is left alone", id, a.client.Text(t.text("id")))}
	}
	return t, etag, nil
}

// deleted is the state in which Request Tracker keeps a ticket and shows it to nobody.
const deleted = "deleted"

func isNumber(id string) bool {
	return id != "" && len(id) < 19 && !strings.ContainsFunc(id, func(r rune) bool { return r < '0' || r > '9' })
}

// shownAs returns a ticket as the contract has it.
func (a *Adapter) shownAs(t record) alert.Ticket {
	fields := t.customFields()
	id := t.text("id")
	return alert.Ticket{
		ID:     id,
		State:  t.text("Status"),
		Open:   !slices.Contains(a.ended, t.text("Status")),
		URL:    a.webURL + "/Ticket/Display.html?id=" + id,
		Key:    alert.Key(fields[a.keyField]),
		Fields: fields,
	}
}
