package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Sizes of answers, in bytes after decompression.
const (
	maxAnswer  = 8 << 20
	maxExcerpt = 64 << 10 // of an answer that is a failure
)

// ClientOptions are what an adapter adds to the common client.
type ClientOptions struct {
	// Authorize adds the credentials to a request that is about to leave.
	Authorize func(*http.Request)
	User      string          // for recognising basic credentials in texts
	Secrets   []secret.String // never shown, also where the remote echoes them
	// Explain finds the remote's own words in the body of a failure; nil = the text itself.
	Explain func(body []byte) string
	CAFile  string // certificates to trust besides the system's; "" = none
}

// Client calls a remote system over HTTP and classifies what comes back. Every
// error it returns is a *Failure.
//
// A request that was certainly not carried out, and any read, goes on to the
// next endpoint; a write that may have left is never repeated anywhere. No
// attempt starts after the context has ended: a caller that must not start a
// send after some moment gives a context that ends then.
type Client struct {
	endpoints *Endpoints
	http      *http.Client
	agent     string
	timeout   time.Duration
	options   ClientOptions
	scrub     scrubber
}

// NewClient returns a client for endpoints. Its error is a *fault.Error of kind
// Invalid: the certificates cannot be read.
func NewClient(s Settings, endpoints *Endpoints, o ClientOptions) (*Client, error) {
	c := &Client{
		endpoints: endpoints, agent: cmp.Or(s.Agent, "tieline"), timeout: s.TimeoutOrDefault(), options: o,
		scrub: newScrubber(o.User, o.Secrets),
	}
	c.http = &http.Client{}
	if s.Client != nil {
		*c.http = *s.Client
	} else {
		transport, err := newTransport(c.timeout, o.CAFile)
		if err != nil {
			return nil, err
		}
		c.http.Transport = transport
	}
	c.http.Timeout = 0 // each attempt has its own deadline
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// newTransport returns a transport that gives up dialling early enough to
// leave time for another endpoint.
func newTransport(timeout time.Duration, caFile string) (*http.Transport, error) {
	dial := min(timeout/2, 5*time.Second)
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dial, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: dial,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
	}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err == nil {
		pool, _ := x509.SystemCertPool()
		if pool == nil {
			pool = x509.NewCertPool()
		}
		if pool.AppendCertsFromPEM(pem) {
			t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			return t, nil
		}
		err = errors.New("holds no certificate")
	}
	return nil, fault.InvalidInput("the remote system's certificates cannot be read",
		[]fault.Problem{{Path: "remote.settings.ca_file", Message: err.Error()}})
}

// Request is one call of a remote.
type Request struct {
	Method string
	Path   string     // put after the endpoint's own path; already escaped
	Query  url.Values // added to the endpoint's own query
	Header http.Header
	Body   []byte
	Write  bool   // changes something at the remote
	What   string // for messages: "create a ticket"
}

// Answer is what a remote answered with a 2xx.
type Answer struct {
	Status   int
	Header   http.Header
	Body     []byte
	Endpoint string // label of the endpoint that answered
	write    bool
	what     string
}

// Do calls the remote at its endpoints in order.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	var last *Failure
	connected := false
	for _, i := range c.endpoints.round(time.Now()) {
		Visited(ctx, Label(c.endpoints.list[i]))
		answer, f, next := c.try(ctx, c.endpoints.list[i], r)
		if f == nil || f.Status != 0 && !next {
			c.endpoints.good(i, time.Now())
		} else if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
			c.endpoints.bad(i, time.Now())
		}
		if f == nil {
			return answer, nil
		}
		connected = connected || !f.Connect
		last = f
		if !next || f.Class != Retry || ctx.Err() != nil {
			break
		}
	}
	last.Connect = !connected
	return Answer{}, last
}

// try calls one endpoint. next tells whether the endpoint is at fault, so that
// another may do better.
func (c *Client) try(ctx context.Context, endpoint *url.URL, r Request) (_ Answer, f *Failure, next bool) {
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var left atomic.Bool
	// Once a connection is handed over, part of the request may be on its way,
	// whatever the writing itself reports later.
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { left.Store(true) }}
	req, err := c.build(httptrace.WithClientTrace(attempt, trace), endpoint, r)
	if err != nil {
		return Answer{}, &Failure{Class: Permanent, Msg: r.What + ": the request cannot be built", Err: c.scrub.error(err)}, false
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return Answer{}, c.broken(ctx, endpoint, r, left.Load(), err), true
	}
	defer resp.Body.Close()
	if f := classify(resp.StatusCode, resp.Header, r.Write); f != nil {
		c.describe(f, endpoint, r, resp)
		return Answer{}, f, gateway(f.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer{}, c.broken(ctx, endpoint, r, true, err), true
	}
	if len(body) > maxAnswer {
		return Answer{}, &Failure{Class: unanswered(r.Write), Status: resp.StatusCode,
			Msg: fmt.Sprintf("%s: the answer of %s is larger than %d MiB", r.What, Label(endpoint), maxAnswer>>20)}, false
	}
	return Answer{
		Status: resp.StatusCode, Header: resp.Header, Body: body,
		Endpoint: Label(endpoint), write: r.Write, what: r.What,
	}, nil, false
}

// gateway reports whether a status speaks of the endpoint, not of the request.
func gateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

func (c *Client) build(ctx context.Context, endpoint *url.URL, r Request) (*http.Request, error) {
	if r.Path != "" && r.Path[0] != '/' && r.Path[0] != '?' {
		return nil, errors.New("its path must begin with / or ?")
	}
	address := endpoint.Scheme + "://" + endpoint.Host + endpoint.EscapedPath() + r.Path
	target, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("its path is not valid")
	}
	if target.Host != endpoint.Host || hasDots(target.Path) {
		return nil, errors.New("its path leads away from the endpoint")
	}
	query := endpoint.Query()
	for name, values := range target.Query() {
		query[name] = append(query[name], values...)
	}
	for name, values := range r.Query {
		query[name] = append(query[name], values...)
	}
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.Method, target.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("its method is not valid")
	}
	req.Header.Set("User-Agent", c.agent)
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if c.options.Authorize != nil {
		c.options.Authorize(req)
	}
	if err := checkHeader(req.Header); err != nil {
		return nil, err
	}
	if r.Write && replayable(req.Header) {
		req.GetBody = nil // else net/http itself would send it again
	}
	return req, nil
}

// replayable reports whether net/http takes the request for one that may be
// repeated after a part of it was sent.
func replayable(h http.Header) bool {
	return h.Get("Idempotency-Key") != "" || h.Get("X-Idempotency-Key") != ""
}

func hasDots(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

func checkHeader(h http.Header) error {
	for name, values := range h {
		for _, v := range values {
			if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
				return fmt.Errorf("the value of header %s has control characters", name)
			}
		}
	}
	return nil
}

// broken returns the failure of an attempt without a complete answer.
func (c *Client) broken(ctx context.Context, endpoint *url.URL, r Request, left bool, err error) *Failure {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // the outer one repeats the address with its query
	}
	canceled := errors.Is(ctx.Err(), context.Canceled)
	f := &Failure{Class: Retry, Shared: !canceled, Err: c.scrub.error(err)}
	if left {
		f.Class = unanswered(r.Write)
		var whole CallTime
		if errors.As(context.Cause(ctx), &whole) {
			f.Msg = fmt.Sprintf("%s: %s was too slow: %s", r.What, Label(endpoint), whole.Error())
			return f
		}
		f.Msg = fmt.Sprintf("%s: %s did not answer: %s", r.What, Label(endpoint), cause(err))
		return f
	}
	f.Connect = !canceled
	f.Msg = fmt.Sprintf("%s: %s cannot be connected to: %s", r.What, Label(endpoint), cause(err))
	return f
}

// CallTime is why a call ended whose requests together took longer than it may
// last, though each by itself may have been answered in time. It is the cause of
// the context of a call.
type CallTime time.Duration

func (c CallTime) Error() string {
	return fmt.Sprintf("the requests of one call took more than %s together; where the remote is that slow, lengthen limits.window", time.Duration(c))
}

// cause says in a word or two why a connection failed.
func cause(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return "the call was ended"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "timed out"
	case errors.As(err, &certificate):
		return "its certificate is not trusted"
	case errors.As(err, &dns):
		return "its name is not known"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed"
	case errors.As(err, &op) && op.Err != nil:
		return Clean(op.Err.Error())
	}
	return "the connection failed"
}

// describe fills in what a failure says to people.
func (c *Client) describe(f *Failure, endpoint *url.URL, r Request, resp *http.Response) {
	f.Msg = fmt.Sprintf("%s: %s answered %d %s", r.What, Label(endpoint), f.Status, http.StatusText(f.Status))
	if f.Status >= 300 && f.Status < 400 {
		f.Msg += "; redirects are not followed, configure the final address"
		return
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxExcerpt))
	text := string(body)
	if c.options.Explain != nil {
		text = c.options.Explain(body)
	}
	if text = Clean(c.scrub.text(text)); text != "" {
		f.Msg += ": " + text
	}
}

// Unreadable returns the failure of an answer that cannot be understood: a
// write was probably done, a read is tried again. The cause's text must come
// from a decoder of ours; it is cleaned and scrubbed all the same.
func (c *Client) Unreadable(a Answer, err error) *Failure {
	return &Failure{
		Class: unanswered(a.write), Status: a.Status, Err: c.scrub.error(err),
		Msg: fmt.Sprintf("%s: the answer of %s cannot be read", a.what, a.Endpoint),
	}
}

// Text makes a remote's text fit to be shown, without our secrets.
func (c *Client) Text(text string) string { return Clean(c.scrub.text(text)) }
