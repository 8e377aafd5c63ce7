package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

const (
	clientTimeout = 10 * time.Second
	maxAnswer     = 64 << 20 // bytes of an answer that are read
	maxQuote      = 200      // bytes of a refusal that are shown
)

// Client calls a source's HTTP API. Its errors are *fault.Error and name the
// host and path, never credentials or a query.
type Client struct {
	base  *url.URL
	token secret.String
	http  *http.Client
}

// NewClient returns a client for the address, which may end in a path. client
// nil means one with a deadline; redirects are never followed, because they
// would carry the token elsewhere.
func NewClient(address string, token secret.String, client *http.Client) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(address, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		// The text may hold a password: it is not repeated.
		return nil, fault.InvalidInput("the source's address cannot be used",
			[]fault.Problem{{Path: "url", Message: `expected an address such as "http://host:port"`}})
	}
	own := http.Client{Timeout: clientTimeout}
	if client != nil {
		own = *client
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: base, token: token, http: &own}, nil
}

// Call is one request.
type Call struct {
	Method string
	Path   string // appended to the client's address, escaped
	Query  url.Values
	In     any         // sent as JSON; nil = no body
	Out    any         // the answer's JSON is decoded into it; nil = dropped
	Header http.Header // further headers
}

// Do makes a call. Answers beyond 2xx are errors: Invalid and NotFound where
// repeating cannot help, Unauthorized, Forbidden or Unavailable where it can.
func (c *Client) Do(ctx context.Context, call Call) error {
	request, err := c.request(ctx, call)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fault.Wrap(fault.Unavailable, withoutURL(err), fmt.Sprintf("%s did not answer: %s", c.name(call), why(err)))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, fmt.Sprintf("%s broke off its answer", c.name(call)))
	}
	if response.StatusCode/100 != 2 {
		return c.refused(call, response, body)
	}
	if len(body) > maxAnswer {
		return fault.New(fault.TooLarge, fmt.Sprintf("%s answered more than %d bytes", c.name(call), maxAnswer))
	}
	if call.Out == nil {
		return nil
	}
	if err := json.Unmarshal(body, call.Out); err != nil {
		return fault.Wrap(fault.Unavailable, err, fmt.Sprintf("%s answered something else than expected", c.name(call))).
			WithNext("Check that the source's url leads to its API.")
	}
	return nil
}

func (c *Client) request(ctx context.Context, call Call) (*http.Request, error) {
	var body io.Reader
	if call.In != nil {
		text, err := json.Marshal(call.In)
		if err != nil {
			return nil, fmt.Errorf("write request for %s: %w", c.name(call), err)
		}
		body = bytes.NewReader(text)
	}
	target := *c.base
	target.User = nil
	address := target.String() + call.Path
	if len(call.Query) > 0 {
		address += "?" + call.Query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make request for %s: %w", c.name(call), withoutURL(err))
	}
	for name, values := range call.Header {
		request.Header[name] = values
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", "tieline")
	if password, ok := c.base.User.Password(); ok {
		request.SetBasicAuth(c.base.User.Username(), password)
	}
	if !c.token.IsZero() {
		request.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	return request, nil
}

// name says what was called, for people.
func (c *Client) name(call Call) string {
	return call.Method + " " + c.base.Scheme + "://" + c.base.Host + c.base.Path + call.Path
}

func (c *Client) refused(call Call, response *http.Response, body []byte) error {
	kind := fault.Unavailable
	switch response.StatusCode {
	case http.StatusUnauthorized:
		kind = fault.Unauthorized
	case http.StatusForbidden:
		kind = fault.Forbidden
	case http.StatusNotFound, http.StatusGone:
		kind = fault.NotFound
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		kind = fault.Invalid
	}
	err := fault.New(kind, fmt.Sprintf("%s answered %d%s", c.name(call), response.StatusCode, quote(body)))
	if seconds, convErr := strconv.Atoi(response.Header.Get("Retry-After")); convErr == nil && seconds > 0 && kind == fault.Unavailable {
		err.After = time.Duration(min(seconds, 3600)) * time.Second
	}
	return err
}

// quote shows the beginning of a refusal as one harmless line.
func quote(body []byte) string {
	text := strings.Join(strings.Fields(string(body[:min(len(body), maxQuote)])), " ")
	if text == "" {
		return ""
	}
	return ": " + strings.Trim(strconv.QuoteToGraphic(text), `"`)
}

// withoutURL drops the address that http's errors carry.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func why(err error) string {
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return "the call was cancelled"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "it took too long"
	case errors.As(err, &dns):
		return "its name is not known"
	}
	return withoutURL(err).Error()
}
