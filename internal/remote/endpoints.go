package remote

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"tieline/internal/fault"
)

// retryFirst is how often a call begins at the first endpoint again while a
// later one is in use.
const retryFirst = time.Minute

// Endpoints is the communication order of a remote's addresses. A call begins
// at the one that worked last and goes on round the order; once a minute it
// begins at the first again, so that a fallback does not last for ever. Safe
// for concurrent use.
type Endpoints struct {
	list []*url.URL

	mu      sync.Mutex
	current int       // index of the last good one
	tried   time.Time // when the first was last tried while another is current
}

// ParseEndpoints returns the endpoints, or every problem found, with paths as
// in a connector document ("remote.endpoints[1]").
func ParseEndpoints(texts []string) (*Endpoints, []fault.Problem) {
	var problems []fault.Problem
	if len(texts) == 0 {
		problems = append(problems, fault.Problem{Path: "remote.endpoints", Message: "at least one address is required"})
	}
	e := &Endpoints{}
	for i, text := range texts {
		u, err := parseEndpoint(text)
		if err != nil {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("remote.endpoints[%d]", i), Message: err.Error()})
			continue
		}
		e.list = append(e.list, u)
	}
	return e, problems
}

// parseEndpoint never repeats the text: it may hold a credential.
func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	switch {
	case err != nil:
		return nil, errors.New("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("names no host")
	case u.User != nil:
		return nil, errors.New("must not contain a password; use remote.user and remote.password")
	case u.Fragment != "":
		return nil, errors.New(`must not contain "#"`)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// Label names an endpoint for people: scheme and host. Its path is left out,
// because webhook addresses carry secrets there.
func Label(u *url.URL) string { return u.Scheme + "://" + u.Host }

// First returns the first endpoint.
func (e *Endpoints) First() *url.URL { return e.list[0] }

// round returns the indexes in the order in which a call that begins now
// should try them.
func (e *Endpoints) round(now time.Time) []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	start := e.current
	if start != 0 && now.Sub(e.tried) >= retryFirst {
		start, e.tried = 0, now
	}
	order := make([]int, 0, len(e.list))
	for i := range e.list {
		order = append(order, (start+i)%len(e.list))
	}
	if start == 0 && e.current > 1 {
		// The first is only being tried again: after it, the one known good.
		order = append([]int{0, e.current}, without(order, 0, e.current)...)
	}
	return order
}

func without(order []int, a, b int) []int {
	var rest []int
	for _, i := range order {
		if i != a && i != b {
			rest = append(rest, i)
		}
	}
	return rest
}

// good notes that an endpoint answered.
func (e *Endpoints) good(i int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i != e.current && i != 0 {
		e.tried = now
	}
	e.current = i
}

// bad notes that an endpoint failed: the next call begins at the one after it.
func (e *Endpoints) bad(i int, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i != e.current {
		return
	}
	e.current = (i + 1) % len(e.list)
	e.tried = now
}
