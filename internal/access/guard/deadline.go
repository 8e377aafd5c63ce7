package guard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"tieline/internal/fault"
)

// Work is what a route waits for before it answers, which decides how long it may.
type Work int

// The kinds of work.
const (
	Ordinary Work = iota // the database
	Patient              // also what takes its time: peers, a remote system, an OpenID provider, the hash of a password
	Still                // nothing: its answer is in the program
)

// A database that takes connections and says nothing holds up whoever asks it,
// without end and without an error. So each request has a time.
const (
	admitTime   = 5 * time.Second  // to find out who asks
	readTime    = 5 * time.Second  // of a route that changes nothing
	changeTime  = 10 * time.Second // longer: whoever gives up does not know what was done
	patientTime = 25 * time.Second
	placeTime   = 5 * time.Second  // to wait for a place, of the times above
	answerTime  = 10 * time.Second // to send the answer
	lateTime    = 2 * time.Second  // to write the end of an audit entry when all that is over
)

// So many requests may ask the database at once. The others wait: a server takes
// alerts in and forwards them by the same connections (8 on each engine), and
// people who reload a page that hangs must not take them all. The patient ones have
// places of their own: they hold them long, mostly while something else answers.
const (
	places        = 4
	patientPlaces = 2
)

// retryLate is when to try again what was given up.
const retryLate = 2 * time.Second

// errLate is the cause of the end of a request's time.
var errLate = errors.New("the request took too long")

// time is how long the handler of a route may take.
func (r Route) time() time.Duration {
	switch {
	case r.Work == Patient:
		return patientTime
	case r.Unsafe():
		return changeTime
	default:
		return readTime
	}
}

// start begins the time of a visit that was admitted, and takes a place. The body
// is here by then, so that a slow line takes neither from others nor from itself.
// Call end when the answer is written, also after an error.
func (v *visit) start(r *http.Request) (timed *http.Request, end func(), err error) {
	if v.route.Stream {
		return r, func() {}, nil
	}
	if v.route.Unsafe() {
		r.Body = received(r.Body)
	}
	timed, over := v.within(r, v.route.time())
	// The server's own bound is counted from the request's head, and would cut off the answer that says so.
	_ = http.NewResponseController(v.w).SetWriteDeadline(time.Now().Add(v.route.time() + recordTime + answerTime))
	if !v.route.asks() {
		return timed, over, nil
	}
	leave, err := v.hold(timed.Context())
	return timed, func() { leave(); over() }, err
}

// asks reports whether the route may ask the database. The audit does at least.
func (r Route) asks() bool { return r.Work != Still || r.Unsafe() || r.Audit }

// hold takes the one place that the visit's handler and its audit need. A visit
// that has it already takes no second one: those that wait for a second while they
// hold the first would wait for one another.
func (v *visit) hold(ctx context.Context) (leave func(), err error) {
	if v.holds {
		return func() {}, nil
	}
	in := v.guard.places
	if v.route.Work == Patient {
		in = v.guard.patient
	}
	giveBack, err := in.take(ctx)
	v.holds = err == nil
	return func() { giveBack(); v.holds = false }, err
}

// within is the request with a time.
func (v *visit) within(r *http.Request, d time.Duration) (*http.Request, func()) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), d, errLate)
	return r.WithContext(ctx), cancel
}

// received reads a body to its end, and returns it with the error that it ended by.
func received(body io.ReadCloser) io.ReadCloser {
	data, err := io.ReadAll(body)
	if err == nil {
		err = io.EOF
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), failing{err}), body}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// gate lets so many through at once as it has room.
type gate chan struct{}

// take waits for a place until ctx ends, for placeTime at most. Call leave to give
// it back, also after an error.
func (g gate) take(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, placeTime, errLate)
	defer cancel()
	select {
	case g <- struct{}{}:
		return func() { <-g }, nil
	case <-ctx.Done():
		busy := fault.Wrap(fault.Unavailable, ctx.Err(), "this server is busy with the requests before this one: the database answers them slowly, or not at all")
		busy.After = retryLate
		return func() {}, busy.WithNext("Try again in some seconds.")
	}
}

// late reports whether a request's time is over; one whose client has left is not late.
func late(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errLate) }

// Late makes an error of a handler whose time is over, or that gave something up
// itself, into what is answered: fault.Unavailable, with when to try again. unsure
// is whether a change was begun that may have been made all the same, or may be
// made yet; the error says so. Other errors are returned as they are.
func Late(ctx context.Context, err error) (answer error, unsure bool) {
	var details *ProblemDetails
	if err == nil || errors.As(err, &details) || !late(ctx) && !errors.Is(err, context.DeadlineExceeded) {
		return err, false
	}
	told := &fault.Error{Kind: fault.Unavailable, Msg: "this took too long and was given up: the database answers slowly, or not at all", After: retryLate, Err: err}
	var known *fault.Error
	if errors.As(err, &known) {
		if known.Kind != fault.Unavailable {
			return err, false
		}
		told.Msg, told.Next, told.After = known.Msg, known.Next, max(known.After, told.After)
	}
	v := visitOf(ctx)
	if v == nil || !v.begun || !v.route.Unsafe() {
		return told, false
	}
	told.Msg += "; what was asked for may have been done all the same"
	return told.WithNext("Look at what is there before you repeat it."), true
}
