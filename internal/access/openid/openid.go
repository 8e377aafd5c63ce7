// Package openid signs people in at an OpenID Connect provider, by the
// authorization code flow with state, nonce and PKCE. What the provider says
// becomes an access.Identity; package access decides which account that is.
//
// The provider is asked for its endpoints and keys at the first sign-in, and not
// at start: a server must start while the provider is away.
package openid

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Config is a provider's settings.
type Config struct {
	Issuer    string
	ClientID  string
	Secret    secret.Ref // of the client; "" = a public one
	Redirect  string     // where the provider sends people back to
	Scopes    []string   // besides openid
	NameClaim string
	RoleClaim string // a text or a list of texts

	Viewers, Operators, Admins []string // values of the role claim; "*" = anybody the provider knows
}

// Provider is one provider. Make it with New; all methods may be called
// concurrently.
type Provider struct {
	Config
	client *http.Client

	mu     sync.Mutex
	known  *oidc.Provider // once it has answered
	asking *question      // under way; nil = none
}

// answerTime bounds each request to the provider.
const answerTime = 10 * time.Second

// New returns a provider. It asks nothing yet.
func New(c Config) *Provider {
	return &Provider{Config: c, client: &http.Client{Timeout: answerTime}}
}

// Flow is one sign-in on its way: the browser keeps it, in a cookie.
type Flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Next     string `json:"to"` // the page to go on with
}

// Begin returns the provider's address to send the browser to, and the flow to
// be kept until it is back.
func (p *Provider) Begin(ctx context.Context, next string) (address string, f Flow, err error) {
	config, _, err := p.connect(ctx)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{State: oauth2.GenerateVerifier(), Nonce: oauth2.GenerateVerifier(), Verifier: oauth2.GenerateVerifier(), Next: next}
	return config.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f, nil
}

// Finish returns who came back from the provider, by what it appended to the
// redirect. The error is fault.Forbidden for somebody without a role here,
// fault.Unauthorized for a sign-in that is not the one begun or was refused
// there, and fault.Unavailable while the provider does not answer.
func (p *Provider) Finish(ctx context.Context, f Flow, query url.Values) (access.Identity, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(query.Get("state"))) != 1 {
		return access.Identity{}, fault.New(fault.Unauthorized, "this is not the sign-in that was begun here, or it took too long").WithNext("Sign in again.")
	}
	if query.Get("error") != "" {
		// The provider's texts are anybody's who makes up the address: they are for the log.
		err := fmt.Errorf("%.100q: %.200q", query.Get("error"), query.Get("error_description"))
		return access.Identity{}, fault.Wrap(fault.Unauthorized, err, "the OpenID provider refused the sign-in")
	}
	config, provider, err := p.connect(ctx)
	if err != nil {
		return access.Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := config.Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return access.Identity{}, p.explain(err, "exchange the code of a sign-in")
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil {
		return access.Identity{}, fault.Wrap(fault.Unauthorized, err, "the OpenID provider's answer cannot be trusted").
			WithNext("An administrator finds the cause in the server's log.")
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return access.Identity{}, fault.New(fault.Unauthorized, "the OpenID provider's answer is for another sign-in").WithNext("Sign in again.")
	}
	claims, err := p.claims(ctx, provider, id, token)
	if err != nil {
		return access.Identity{}, err
	}
	return p.identity(id.Subject, claims)
}

// claims are those of the ID token and, where it lacks one that is needed, of
// the provider's user info.
func (p *Provider) claims(ctx context.Context, provider *oidc.Provider, id *oidc.IDToken, token *oauth2.Token) (map[string]any, error) {
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("read the claims of an ID token: %w", err)
	}
	_, name := claims[p.NameClaim]
	_, role := claims[p.RoleClaim]
	if name && role || provider.UserInfoEndpoint() == "" {
		return claims, nil
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, p.explain(err, "ask for the user info of a sign-in")
	}
	if info.Subject != id.Subject {
		return nil, fault.New(fault.Unauthorized, "the OpenID provider's user info is of somebody else")
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return nil, fmt.Errorf("read the claims of a user info: %w", err)
	}
	for _, key := range []string{p.NameClaim, p.RoleClaim} {
		if _, there := claims[key]; !there && more[key] != nil {
			claims[key] = more[key]
		}
	}
	return claims, nil
}

// identity maps claims to a name and the highest role they give.
func (p *Provider) identity(subject string, claims map[string]any) (access.Identity, error) {
	id := access.Identity{Subject: p.Issuer + "#" + subject}
	id.Name, _ = claims[p.NameClaim].(string)
	values := texts(claims[p.RoleClaim])
	for _, level := range []struct {
		role access.Role
		of   []string
	}{{access.Viewer, p.Viewers}, {access.Operator, p.Operators}, {access.Admin, p.Admins}} {
		if slices.ContainsFunc(level.of, func(v string) bool { return v == "*" || slices.Contains(values, v) }) {
			id.Role = level.role
		}
	}
	if id.Name == "" {
		return id, fault.New(fault.Forbidden, fmt.Sprintf("the OpenID provider gave no name (claim %s)", p.NameClaim)).
			WithNext("An administrator can choose another claim (oidc.name_claim), or ask for its scope (oidc.scopes).")
	}
	if id.Role == "" {
		return id, fault.New(fault.Forbidden, fmt.Sprintf("%s has no role here: none of the values of the claim %s gives one", id.Name, p.RoleClaim)).
			WithNext("An administrator can map one of them (oidc.viewers, oidc.operators, oidc.admins).")
	}
	return id, nil
}

// texts reads a claim that is a text or a list of texts.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, item := range v {
			if text, ok := item.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}

// question is the one for the provider's endpoints.
type question struct {
	done  chan struct{} // closed when it is answered
	known *oidc.Provider
	err   error
}

// discover asks the provider for its endpoints, until it has answered once. All
// who sign in meanwhile wait for the one answer, each no longer than its ctx.
func (p *Provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	if p.known != nil {
		defer p.mu.Unlock()
		return p.known, nil
	}
	q := p.asking
	if q == nil {
		q = &question{done: make(chan struct{})}
		p.asking = q
		go p.ask(context.WithoutCancel(ctx), q) // others wait for it too
	}
	p.mu.Unlock()
	select {
	case <-q.done:
		return q.known, q.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ask answers a question; the client bounds how long it takes.
func (p *Provider) ask(ctx context.Context, q *question) {
	q.known, q.err = oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
	p.mu.Lock()
	p.known, p.asking = q.known, nil
	p.mu.Unlock()
	close(q.done)
}

// connect returns how to reach the provider.
func (p *Provider) connect(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	known, err := p.discover(ctx)
	if err != nil {
		return nil, nil, p.explain(err, "ask for the endpoints of the OpenID provider")
	}
	clientSecret, err := p.Secret.Resolve()
	if err != nil {
		return nil, nil, fault.Wrap(fault.Unavailable, err, "the OpenID client's secret cannot be read on this server").
			WithNext("An administrator can put it where oidc.client_secret says.")
	}
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: clientSecret.Reveal(), RedirectURL: p.Redirect,
		Endpoint: known.Endpoint(), Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...),
	}, known, nil
}

func (p *Provider) explain(err error, doing string) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < http.StatusInternalServerError {
		return fault.Wrap(fault.Unauthorized, fmt.Errorf("%s: %w", doing, err), "the OpenID provider did not accept the sign-in").WithNext("Sign in again.")
	}
	return fault.Wrap(fault.Unavailable, fmt.Errorf("%s: %w", doing, err), "the OpenID provider does not answer as it should").
		WithNext("Try again, or sign in with a password.")
}
