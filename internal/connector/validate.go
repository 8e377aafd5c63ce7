package connector

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"tieline/internal/fault"
)

// maxRate bounds limits.rate and limits.burst, in requests per second.
const maxRate = 10_000

// maxDays bounds retention.days: a hundred years.
const maxDays = 36500

var (
	nameForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`)
	kindForm = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)
)

// findings collects problems.
type findings []fault.Problem

func (f *findings) add(path, format string, args ...any) {
	*f = append(*f, fault.Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// validate finds what is wrong with a document's values, but for its
// expressions and templates, which compile finds.
func validate(doc *Document) findings {
	var f findings
	f.name("name", doc.Name)
	f.text("description", doc.Description, 2000)
	f.sources(doc.Sources)
	f.remote(doc.Remote)
	for from, to := range sorted(doc.Severity.Map) {
		f.word(join("severity.map", from), from)
		f.word(join("severity.map", from), to)
	}
	f.states(doc)
	f.lifecycle(doc)
	f.limits(doc.Limits)
	f.availability(doc.Availability)
	within(&f, "retention.days", doc.Retention.Days, 0, maxDays)
	return f
}

func (f *findings) sources(sources []Source) {
	if len(sources) == 0 {
		f.add("sources", "a connector needs at least one source")
	}
	seen := make(map[string]bool)
	for i, s := range sources {
		path := fmt.Sprintf("sources[%d]", i)
		f.name(path+".name", s.Name)
		if seen[s.Name] && s.Name != "" {
			f.add(path+".name", "source %q is listed twice", s.Name)
		}
		seen[s.Name] = true
		f.kind(path+".kind", s.Kind)
		f.secret(path+".token", s.Token.Check())
		f.secret(path+".api_token", s.APIToken.Check())
		if s.URL != "" {
			f.address(path+".url", s.URL)
		} else if s.Compare > 0 {
			f.add(path+".compare", "comparing needs the source's url")
		}
		if s.Compare != 0 {
			within(f, path+".compare", s.Compare, seconds(1), seconds(86400))
		}
	}
}

func (f *findings) remote(r Remote) {
	f.kind("remote.kind", r.Kind)
	f.secret("remote.token", r.Token.Check())
	f.secret("remote.password", r.Password.Check())
	if r.Poll != 0 {
		within(f, "remote.poll", r.Poll, Duration(100*time.Millisecond), seconds(86400))
	}
	if r.Token != "" && (r.User != "" || r.Password != "") {
		f.add("remote.token", "give a token, or user and password, not both")
	}
	seen := make(map[string]bool)
	for i, endpoint := range r.Endpoints {
		path := fmt.Sprintf("remote.endpoints[%d]", i)
		switch {
		case strings.TrimSpace(endpoint) == "":
			f.add(path, "the endpoint is empty")
		case seen[endpoint]:
			f.add(path, "the endpoint is listed twice")
		case strings.Contains(endpoint, "://"):
			f.address(path, endpoint)
		}
		seen[endpoint] = true
	}
}

func (f *findings) states(doc *Document) {
	f.word("states.open", doc.States.Open)
	f.word("states.closed", doc.States.Closed)
	for state, back := range sorted(doc.States.Back) {
		path := join("states.back", state)
		f.word(path, state)
		f.oneOf(path, back, SourceStates...)
		for _, s := range doc.Sources {
			if back == "closed" && s.Kind == "alertmanager" {
				f.add(path, "source %s is an Alertmanager, whose alerts cannot be closed from outside; map to acknowledged", s.Name)
			}
		}
	}
	for state, class := range sorted(doc.States.Classes) {
		f.oneOf(join("states.classes", state), class, Classes...)
	}
	for i, state := range doc.States.Ended {
		if state == "" {
			f.add(fmt.Sprintf("states.ended[%d]", i), "the state is empty")
		}
	}
	if circle := doc.States.circle(); circle != nil {
		f.add("states", "the maps there and back never come to rest: %s", arrows(circle))
	}
}

func (f *findings) lifecycle(doc *Document) {
	life := doc.Lifecycle
	f.oneOf("lifecycle.close.action", life.Close.Action, CloseResolve, CloseComment, CloseLeave)
	within(f, "lifecycle.close.wait", life.Close.Wait, 0, seconds(86400))
	if life.Close.Action == CloseResolve && doc.States.Closed == "" {
		f.add("lifecycle.close.action", "resolve needs states.closed, the remote state of a closed alert")
	}
	for class, refire := range sorted(life.Refire) {
		path := join("lifecycle.refire", class)
		if !slices.Contains(Classes, class) {
			f.add(path, "no such class; the classes are %s", list(Classes))
		}
		f.oneOf(path+".action", refire.Action, RefireReopen, RefireComment, RefireLinked, RefireNew)
		if refire.Action == RefireReopen && doc.States.Open == "" {
			f.add(path+".action", "reopen needs states.open, the remote state of an open alert")
		}
		within(f, path+".within", refire.Within, 0, seconds(366*86400))
	}
}

func (f *findings) limits(l Limits) {
	within(f, "limits.concurrency", l.Concurrency, 1, 256)
	within(f, "limits.rate", l.Rate, 0, maxRate)
	within(f, "limits.burst", l.Burst, 1, maxRate)
	within(f, "limits.timeout", l.Timeout, Duration(100*time.Millisecond), seconds(300))
	within(f, "limits.window", l.Window, seconds(1), seconds(600))
	within(f, "limits.settle", l.Settle, 0, seconds(3600))
	within(f, "limits.attempts", l.Attempts, 1, 1000)
	within(f, "limits.backoff.first", l.Backoff.First, Duration(10*time.Millisecond), seconds(3600))
	within(f, "limits.backoff.max", l.Backoff.Max, Duration(10*time.Millisecond), seconds(86400))
	if l.Backoff.First > l.Backoff.Max {
		f.add("limits.backoff.first", "%s is longer than limits.backoff.max, %s", l.Backoff.First, l.Backoff.Max)
	}
}

func (f *findings) availability(h HighAvailability) {
	within(f, "high_availability.polling_interval", h.Polling, Duration(PollingLeast), Duration(PollingMost))
	within(f, "high_availability.tolerance", h.Tolerance, ToleranceLeast, ToleranceMost)
	f.oneOf("high_availability.failback", h.Failback, "manual", "automatic")
}

func (f *findings) name(path, name string) {
	switch {
	case name == "":
		f.add(path, "a name is needed")
	case !nameForm.MatchString(name):
		f.add(path, `%q is no name: use 1 to 40 lower-case letters, digits and "-", with no "-" at either end`, short(name))
	}
}

func (f *findings) kind(path, kind string) {
	switch {
	case kind == "":
		f.add(path, "a kind is needed")
	case !kindForm.MatchString(kind):
		f.add(path, `%q is no kind: use lower-case letters, digits, "-" and "_"`, short(kind))
	}
}

func (f *findings) secret(path string, err error) {
	if err != nil {
		f.add(path, "%s", err)
	}
}

// address checks an http address. A user in it may come with a password, so
// that the text is never repeated.
func (f *findings) address(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		f.add(path, `expected an address such as "https://host:port/path"`)
	case u.User != nil:
		f.add(path, "an address must not carry credentials, because documents are shown; give them by reference")
	}
}

// word checks one of the remote's or source's words.
func (f *findings) word(path, word string) {
	f.text(path, word, 200)
	if strings.ContainsFunc(word, unicode.IsControl) {
		f.add(path, "control characters and line breaks are not allowed")
	}
}

func (f *findings) text(path, text string, limit int) {
	if len(text) > limit {
		f.add(path, "%d bytes are too many; at most %d", len(text), limit)
	}
}

func within[T cmp.Ordered](f *findings, path string, value, low, high T) {
	if value < low || value > high {
		f.add(path, "%v is out of range: from %v to %v", value, low, high)
	}
}

func (f *findings) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		f.add(path, "%q is not one of %s", short(value), list(allowed))
	}
}

func list(words []string) string { return strings.Join(words, ", ") }

func seconds(n int) Duration { return Duration(time.Duration(n) * time.Second) }

func short(text string) string { return truncate(60, text) }
