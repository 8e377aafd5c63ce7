package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

// Pattern is where a Handler belongs in a mux: the source's name is in the path.
const Pattern = "POST /v1/sources/{source}"

// bodyTime is how long a sender may take to send a body.
const bodyTime = 10 * time.Second

// Accepter stores observations; *Gate is one.
type Accepter interface {
	Accept(ctx context.Context, observations []alert.Observation) ([]Accepted, error)
}

// Handler takes alerts in over HTTP.
type Handler struct {
	Gate    Accepter
	Router  *Router
	Limits  source.Limits // zero = source.DefaultLimits
	Log     *slog.Logger
	Observe Observer

	draining atomic.Bool
}

// Observer hears what a Handler does; nil functions are not called. The source
// is "" where the request named none of ours, so that names stay few.
type Observer struct {
	Request  func(source string, status int)
	Accepted func(source string, change alert.Change)
	// Omitted is told how many alerts the source said it left out of a request that
	// was taken in, where there were any.
	Omitted func(source string, omitted int)
}

// Answer is the JSON of a 200: what became of the request's alerts.
type Answer struct {
	Alerts   int `json:"alerts"`   // in the request
	Raised   int `json:"raised"`   // new ones
	Changed  int `json:"changed"`  // open ones with news
	Closed   int `json:"closed"`   // open ones that closed, and new ones that were closed already
	Repeated int `json:"repeated"` // nothing new
	Stale    int `json:"stale"`    // older than what is known; dropped
}

// Problem is the JSON of a refusal, by RFC 9457.
type Problem struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Problems []fault.Problem `json:"problems,omitempty"` // the wrong fields, each with its path
}

// Drain refuses every further request with 503, so that sources and balancers
// turn to another server.
func (h *Handler) Drain() { h.draining.Store(true) }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("source")
	door, known := h.Router.Table().Door(name)
	if !known {
		name = ""
	}
	status := http.StatusOK
	answer, err := h.take(w, r, door, known)
	if err != nil {
		status = h.refuse(w, r, door, err)
	} else {
		write(w, status, "application/json", answer)
	}
	if h.Observe.Request != nil {
		h.Observe.Request(name, status)
	}
}

// take does what a request asks for.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, door Door, known bool) (Answer, error) {
	if err := h.admit(r, door, known); err != nil {
		return Answer{}, err
	}
	body, err := h.read(w, r)
	if err != nil {
		return Answer{}, err
	}
	observations, omitted, err := parse(door.Adapter, body, h.Limits)
	if err != nil {
		return Answer{}, err
	}
	accepted, err := h.Gate.Accept(r.Context(), observations)
	if err != nil {
		return Answer{}, err
	}
	if omitted > 0 {
		h.omitted(door.Source, omitted)
	}
	return h.count(door.Source, accepted)
}

func parse(a source.Adapter, body []byte, limits source.Limits) (_ []alert.Observation, omitted int, _ error) {
	if o, ok := a.(source.Omitting); ok {
		return o.ParseOmitting(body, limits)
	}
	observations, err := a.Parse(body, limits)
	return observations, 0, err
}

// omitted tells that a source left alerts out of a request: they are not lost to
// it, but nobody here has heard of them.
func (h *Handler) omitted(source string, n int) {
	h.log().Warn("a source left alerts out of its request, because there were too many for one; "+
		"the comparison with its list finds them, where it is configured", "source", source, "count", n)
	if h.Observe.Omitted != nil {
		h.Observe.Omitted(source, n)
	}
}

// admit refuses what must not be read at all.
func (h *Handler) admit(r *http.Request, door Door, known bool) error {
	switch {
	case h.draining.Load():
		return unavailable(nil, "this server is stopping and takes no alerts in")
	case !known && len(h.Router.Table().Broken) > 0:
		return unavailable(nil, "this server cannot run every connector's document, and knows no source of this name")
	case !known:
		return fault.New(fault.NotFound, "there is no source of this name").
			WithNext("The last part of the path is a source's name in a connector document.")
	case door.Problem != "":
		return unavailable(nil, fmt.Sprintf("source %s cannot be taken in from on this server: %s", door.Source, door.Problem))
	case !door.Token.IsZero() && !door.Token.Equal(presented(r)):
		return fault.New(fault.Unauthorized, fmt.Sprintf("the token for source %s is missing or wrong", door.Source)).
			WithNext(`Send it as "Authorization: Bearer ...", as the password of basic authentication, or in X-Tieline-Token.`)
	case r.Header.Get("Content-Encoding") != "":
		return fault.New(fault.Invalid, "the body must not be compressed")
	case r.ContentLength > h.limits().Bytes:
		return h.tooLarge()
	}
	return nil
}

// presented is the token that a request carries, "" when it carries none.
func presented(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return r.Header.Get("X-Tieline-Token")
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A sender that dawdles would hold its connection for ever. Where the
	// connection knows no deadlines (tests), it goes without.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.limits().Bytes))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, h.tooLarge()
	case err != nil:
		return nil, fault.Wrap(fault.Invalid, err, "the body broke off")
	}
	return body, nil
}

func (h *Handler) limits() source.Limits { return h.Limits.Or(source.DefaultLimits) }

func (h *Handler) tooLarge() error {
	return fault.New(fault.TooLarge, fmt.Sprintf("the body has more than %d bytes", h.limits().Bytes)).
		WithNext("Send fewer alerts in one request.")
}

// count sums up what became of the alerts. Alerts that the database refused
// make the request fail, so that somebody hears of it; the others are stored.
func (h *Handler) count(name string, accepted []Accepted) (Answer, error) {
	answer := Answer{Alerts: len(accepted)}
	var problems []fault.Problem
	for i, a := range accepted {
		if a.Err != nil {
			problems = append(problems, fault.Problem{Path: fmt.Sprintf("[%d]", i), Message: fault.Message(a.Err)})
			continue
		}
		if h.Observe.Accepted != nil {
			h.Observe.Accepted(name, a.Change)
		}
		switch a.Change {
		case alert.Raised:
			answer.Raised++
		case alert.Changed:
			answer.Changed++
		case alert.Ended, alert.Missed:
			answer.Closed++
		case alert.Stale:
			answer.Stale++
		default:
			answer.Repeated++
		}
	}
	what := refusedSome(len(problems), len(accepted))
	return answer, fault.InvalidInput(what, problems)
}

func refusedSome(refused, all int) string {
	switch {
	case all == 1:
		return "the request's alert was refused"
	case refused == all:
		return fmt.Sprintf("all of the request's %d alerts were refused", all)
	case refused == 1:
		return fmt.Sprintf("1 of the request's %d alerts was refused; the others are stored", all)
	}
	return fmt.Sprintf("%d of the request's %d alerts were refused; the others are stored", refused, all)
}

// refuse answers an error and returns the status.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, door Door, err error) int {
	kind := fault.KindOf(err)
	status := kind.Status()
	detail, after := "internal error; the server's log has the details", time.Duration(0)
	var known *fault.Error
	if errors.As(err, &known) {
		detail, after = strings.TrimSpace(known.Msg+"\n"+known.Next), known.After
	}
	switch kind {
	case fault.Unauthorized:
		w.Header().Add("WWW-Authenticate", `Bearer realm="tieline"`)
		w.Header().Add("WWW-Authenticate", `Basic realm="tieline"`)
	case fault.Unavailable:
		seconds := max(1, int(math.Ceil(after.Seconds())))
		w.Header().Set("Retry-After", strconv.Itoa(seconds))
	case fault.Internal:
		h.log().Error("a request for intake failed", "source", door.Source, "err", err)
	default:
		h.log().Info("a request for intake was refused", "source", door.Source, "err", err)
	}
	if h.draining.Load() {
		w.Header().Set("Connection", "close")
	}
	write(w, status, "application/problem+json", Problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Problems: fault.ProblemsOf(err),
	})
	return status
}

func (h *Handler) log() *slog.Logger {
	if h.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Log
}

func write(w http.ResponseWriter, status int, kind string, v any) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the sender may have left
}
