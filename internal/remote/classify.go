package remote

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// maxAfter bounds what a remote may ask for by Retry-After.
const maxAfter = 24 * time.Hour

// classify returns the failure an answer stands for, nil for a 2xx. The rules
// for writes are those of HTTP's meaning read with suspicion: a gateway's 502
// or 504, a bare 500 and a 503 that names no time all come from systems that
// may have passed the request on before they gave up.
func classify(status int, header http.Header, write bool) *Failure {
	switch {
	case status >= 200 && status < 300:
		return nil
	case status >= 300 && status < 400:
		return classifyRedirect(status, write)
	}
	f := &Failure{Status: status, Class: Permanent}
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired:
		f.Class, f.Shared = Retry, true
	case http.StatusTooManyRequests:
		f.Class, f.Shared, f.After = Retry, true, RetryAfter(header)
	case http.StatusServiceUnavailable:
		f.Class, f.Shared, f.After = unanswered(write), true, RetryAfter(header)
		if header.Get("Retry-After") != "" {
			f.Class = Retry
		}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		f.Class, f.Shared = unanswered(write), true
	case http.StatusRequestTimeout, http.StatusInternalServerError:
		f.Class = unanswered(write)
	case http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly:
		f.Class = Retry
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
	default:
		if status >= 500 || status < 200 {
			f.Class = unanswered(write)
		}
	}
	return f
}

// classifyRedirect judges redirects, which are never followed: they would
// carry credentials to an address nobody configured. "See other" after a write
// usually means that it was done.
func classifyRedirect(status int, write bool) *Failure {
	f := &Failure{Status: status, Class: Retry, Shared: true}
	if write && (status == http.StatusFound || status == http.StatusSeeOther) {
		f.Class = Unknown
	}
	return f
}

// unanswered is the class of a request that was sent and not properly answered:
// reading twice harms nobody.
func unanswered(write bool) Class {
	if write {
		return Unknown
	}
	return Retry
}

// RetryAfter returns how long the remote asks to be left alone, 0 when it does
// not say. A date is taken relative to the answer's own Date, so that the
// remote's clock is compared with itself and never with ours.
func RetryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return min(max(time.Duration(seconds)*time.Second, 0), maxAfter)
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	return min(max(until.Sub(now), 0), maxAfter)
}

// Refuse returns a Permanent failure.
func Refuse(format string, args ...any) *Failure {
	return &Failure{Class: Permanent, Msg: fmt.Sprintf(format, args...)}
}

// Gone returns the Permanent failure for a ticket that does not exist any more.
func Gone(ticket string) *Failure {
	return &Failure{Class: Permanent, Msg: "ticket " + Clean(ticket) + " does not exist in the remote system", Err: ErrGone}
}

// Status returns the HTTP status of a failure in the chain, 0 when there is none.
func Status(err error) int {
	var f *Failure
	if errors.As(err, &f) {
		return f.Status
	}
	return 0
}
