package webhook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/remote"
	"tieline/internal/secret"
)

const trueValue = types.True

func stringValue(s string) types.String { return types.String(s) }

// adapter does what every configuration offers.
type adapter struct {
	config
	client *remote.Client
	log    *slog.Logger
}

// looker and noter are what a configuration may add. They hold the adapter
// instead of embedding it, so that New can put them together freely.
type (
	looker struct{ a *adapter }
	noter  struct{ a *adapter }
)

// New returns the adapter for a webhook. It implements Looker and Comparer when
// a lookup is configured, and Noter when a note is.
func New(s remote.Settings) (remote.Adapter, error) {
	c, endpoints, problems := read(s)
	if len(problems) > 0 {
		return nil, fault.InvalidInput("the remote's settings are not valid", problems)
	}
	a := &adapter{config: c, log: s.Logger()}
	authorize, secrets, err := a.credentials(s)
	if err != nil {
		return nil, err
	}
	a.client, err = remote.NewClient(s, endpoints, remote.ClientOptions{
		User: s.User, Secrets: secrets, Authorize: authorize, CAFile: c.caFile,
	})
	if err != nil {
		return nil, err
	}
	switch {
	case c.lookup != nil && c.note != nil:
		return struct {
			*adapter
			looker
			noter
		}{a, looker{a}, noter{a}}, nil
	case c.lookup != nil:
		return struct {
			*adapter
			looker
		}{a, looker{a}}, nil
	case c.note != nil:
		return struct {
			*adapter
			noter
		}{a, noter{a}}, nil
	}
	return a, nil
}

// credentials resolves the secrets and returns what adds them to a request.
func (a *adapter) credentials(s remote.Settings) (func(*http.Request), []secret.String, error) {
	token, err := s.Secret("remote.token", s.Token)
	if err != nil {
		return nil, nil, err
	}
	password, err := s.Secret("remote.password", s.Password)
	if err != nil {
		return nil, nil, err
	}
	secrets := []secret.String{token, password}
	extra := map[string]secret.String{}
	for name, ref := range a.secretHeaders {
		value, err := s.Secret("remote.settings.secret_headers."+name, ref)
		if err != nil {
			return nil, nil, err
		}
		extra[name] = value
		secrets = append(secrets, value)
	}
	return func(r *http.Request) {
		switch a.auth {
		case "bearer":
			r.Header.Set("Authorization", "Bearer "+token.Reveal())
		case "basic":
			r.SetBasicAuth(s.User, password.Reveal())
		case "header":
			r.Header.Set(a.authHeader, token.Reveal())
		}
		for name, value := range extra {
			r.Header.Set(name, value.Reveal())
		}
	}, secrets, nil
}

// Traits implements remote.Adapter.
func (a *adapter) Traits() remote.Traits {
	t := remote.Traits{Settle: a.settle}
	switch {
	case a.idempotent:
		t.Guarantee, t.KeyLife = remote.Idempotent, a.keyLife
	case a.lookup != nil:
		t.Guarantee = remote.Lookup
	}
	return t
}

// Create implements remote.Adapter.
func (a *adapter) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	answer, err := a.write(ctx, &a.create, "create a ticket", string(d.Key), remote.NewMessage("new", "", d))
	if err != nil {
		return alert.Ticket{}, a.stillUnderWay(err)
	}
	t, err := a.create.read(answer)
	if err != nil {
		return alert.Ticket{}, a.unnamed(answer, err)
	}
	ticket, err := a.shown(t, string(d.Key), d)
	if err == nil {
		return ticket, nil
	}
	return a.finish(ctx, ticket, d)
}

// finish gives a ticket that was just made the state it should have: many
// systems take none with a create. Should that fail, the ticket must not be
// made again: where it can be looked up or its repeat is dropped, the outcome
// is unknown; else the ticket counts as made, in the state it has.
func (a *adapter) finish(ctx context.Context, made alert.Ticket, d alert.Draft) (alert.Ticket, error) {
	ticket, err := a.Update(ctx, made.ID, d)
	if err == nil {
		return ticket, nil
	}
	f := *remote.AsFailure(err)
	if a.Traits().Guarantee == remote.AtLeastOnce {
		a.log.Warn("state not set by create", slog.String("remote", "webhook"), slog.String("reason", f.Msg))
		return made, nil
	}
	f.Class, f.Connect, f.Ticket = remote.Unknown, false, made.ID
	return made, &f
}

// stillUnderWay reads a 409 as systems with idempotency keys mean it: the first
// request with the key is still being worked on.
func (a *adapter) stillUnderWay(err error) error {
	if !a.idempotent || remote.Status(err) != http.StatusConflict {
		return err
	}
	f := *remote.AsFailure(err)
	f.Class = remote.Retry
	return &f
}

// unnamed is the failure of a create that was answered with success, but whose
// ticket id is not in the answer. Where it can be looked up or made again
// harmlessly, it is of unknown outcome; else only a person can tell.
func (a *adapter) unnamed(answer remote.Answer, err error) error {
	f := a.client.Unreadable(answer, err)
	f.Msg += ": " + a.client.Text(err.Error())
	if a.Traits().Guarantee == remote.AtLeastOnce {
		f.Class = remote.Permanent
		f.Msg += "; the ticket was probably made, so a retry may double it"
	}
	return f
}

// Update implements remote.Adapter.
func (a *adapter) Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error) {
	key := fmt.Sprintf("%s-r%d-%s", d.Key, d.Revision, nonce())
	answer, err := a.write(ctx, &a.update, "update ticket "+remote.Clean(ticket), key, remote.NewMessage("update", ticket, d))
	if err != nil {
		return alert.Ticket{}, goneIf(err, ticket)
	}
	t, err := a.update.read(answer)
	switch {
	case err != nil && a.update.lenient:
		t = told{}
	case err != nil:
		return alert.Ticket{}, a.client.Unreadable(answer, err)
	}
	return a.shown(t, ticket, d)
}

// goneIf recognises a ticket that does not exist any more.
func goneIf(err error, ticket string) error {
	if s := remote.Status(err); ticket != "" && (s == http.StatusGone || s == http.StatusNotFound) {
		return remote.Gone(ticket)
	}
	return err
}

// shown returns the ticket an answer told of; a state that was silently refused
// is a Permanent failure.
func (a *adapter) shown(t told, otherwise string, d alert.Draft) (alert.Ticket, error) {
	if t.ticket == "" {
		t.ticket = otherwise
	}
	ticket := alert.Ticket{ID: t.ticket, State: t.state, URL: t.url, Key: d.Key, Open: !slices.Contains(a.ended, t.state)}
	if d.State != "" && t.state != "" && t.state != d.State {
		return ticket, &remote.Failure{
			Class: remote.Permanent,
			Msg:   fmt.Sprintf("the remote did not set the state of ticket %s to %s: it is %s", remote.Clean(t.ticket), remote.Clean(d.State), a.client.Text(t.state)),
		}
	}
	return ticket, nil
}

// Probe implements remote.Adapter. Without a request of its own any answer to
// HEAD will do that does not turn our credentials away.
func (a *adapter) Probe(ctx context.Context) error {
	_, err := a.do(ctx, &a.probe, "probe the remote", "", false, remote.Message{})
	f := remote.AsFailure(err)
	if err != nil && a.probe.method == http.MethodHead && f.Class == remote.Permanent && f.Status != 0 && f.Status != http.StatusForbidden {
		return nil
	}
	return err
}

// Look implements remote.Looker.
func (l looker) Look(ctx context.Context, k alert.Key) ([]alert.Ticket, error) {
	answer, err := l.a.do(ctx, l.a.lookup, "look up tickets", "", false, remote.Message{Key: string(k)})
	if l.a.lookup.notFoundIsNone && remote.Status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tickets, err := l.a.lookup.list(answer, l.a.ended)
	if err != nil {
		f := l.a.client.Unreadable(answer, err)
		f.Msg += ": " + l.a.client.Text(err.Error())
		return nil, f
	}
	return slices.DeleteFunc(tickets, func(t alert.Ticket) bool { return t.Key != "" && t.Key != k }), nil
}

// Compare implements remote.Comparer. A ticket that is not found under the
// draft's key (it may carry an earlier alert's) is told again: the answer to
// that says whether it exists.
func (l looker) Compare(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, []string, error) {
	tickets, err := l.Look(ctx, d.Key)
	if err != nil {
		return alert.Ticket{}, nil, err
	}
	for _, t := range tickets {
		if t.ID == ticket {
			return t, differs(t, d), nil
		}
	}
	return alert.Ticket{ID: ticket, Open: true}, []string{"key"}, nil
}

// differs compares what the lookup tells.
func differs(t alert.Ticket, d alert.Draft) []string {
	want := map[string]string{
		"subject": d.Subject, "body": d.Body, "severity": d.Severity, "revision": strconv.FormatInt(d.Revision, 10),
	}
	for name, value := range d.Fields {
		want[name] = value
	}
	var names []string
	if d.State != "" && t.State != "" && t.State != d.State {
		names = append(names, "state")
	}
	for name, value := range t.Fields {
		if w, ok := want[name]; ok && strings.TrimSpace(w) != strings.TrimSpace(value) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && !attests(t, want) {
		names = append(names, "content, which the lookup does not tell")
	}
	slices.Sort(names)
	return names
}

// attests reports whether a ticket tells enough to know that it shows a draft:
// the revision, or all of the content. Otherwise an update that was never
// carried out would pass for one that was.
func attests(t alert.Ticket, want map[string]string) bool {
	if _, ok := t.Fields["revision"]; ok {
		return true
	}
	for name, value := range want {
		if _, told := t.Fields[name]; !told && value != "" && name != "revision" {
			return false
		}
	}
	return true
}

// Note implements remote.Noter.
func (n noter) Note(ctx context.Context, ticket string, k alert.Key, note alert.Note) error {
	key := fmt.Sprintf("%s-n%d", k, note.Seq)
	_, err := n.a.write(ctx, n.a.note, "add a note to ticket "+remote.Clean(ticket), key, remote.NewNote(ticket, k, note))
	return goneIf(err, ticket)
}

func (a *adapter) write(ctx context.Context, c *call, what, key string, m remote.Message) (remote.Answer, error) {
	return a.do(ctx, c, what, key, true, m)
}

// do makes a request from a message and sends it.
func (a *adapter) do(ctx context.Context, c *call, what, key string, write bool, m remote.Message) (remote.Answer, error) {
	path, err := c.path.render(m)
	if err != nil {
		return remote.Answer{}, err
	}
	r := remote.Request{Method: c.method, Path: path, Header: http.Header{}, Write: write, What: what}
	for name, t := range a.headers {
		value, err := t.render(m)
		if err != nil {
			return remote.Answer{}, err
		}
		r.Header.Set(name, value)
	}
	if key != "" && a.keyHeader != "" {
		r.Header.Set(a.keyHeader, key)
	}
	if c.method != http.MethodGet && c.method != http.MethodHead {
		if r.Body, err = c.content(m); err != nil {
			return remote.Answer{}, err
		}
		r.Header.Set("Content-Type", c.contentType)
	}
	return a.client.Do(ctx, r)
}

func (c *call) content(m remote.Message) ([]byte, error) {
	if c.body == nil {
		text, err := json.Marshal(m)
		if err != nil {
			return nil, remote.Refuse("the message cannot be written as JSON")
		}
		return text, nil
	}
	text, err := c.body.render(m)
	if err != nil {
		return nil, err
	}
	if strings.Contains(c.contentType, "json") && !json.Valid([]byte(text)) {
		return nil, remote.Refuse("the template of body does not give JSON: use json for texts, as in {{ json .Subject }}")
	}
	return []byte(text), nil
}

func nonce() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
