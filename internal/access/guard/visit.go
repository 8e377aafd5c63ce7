package guard

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// visit is one request on its way through the guard.
type visit struct {
	guard   *Guard
	route   Route
	address string
	w       http.ResponseWriter
	r       *http.Request // as it came

	who     access.Principal // zero = nobody
	session string           // its id's hash, as the browser named it; "" = none
	csrf    string           // the session's; "" = nobody's
	seed    string           // of forms without a session
	begun   bool             // the handler may have changed something
	holds   bool             // a place at the gate, see hold
}

type visitKey struct{}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

func (v *visit) serve(r *http.Request) {
	v.r = r
	ctx, remarks := access.WithRemarks(context.WithValue(r.Context(), visitKey{}, v))
	r = r.WithContext(ctx)
	if err := v.admit(r); err != nil {
		v.refuse(r, err)
		return
	}
	if v.who != (access.Principal{}) {
		r = r.WithContext(access.With(ctx, v.who))
	}
	r, end, err := v.start(r)
	defer end()
	if err == nil {
		err = v.checkContent(r)
	}
	if err != nil {
		v.refuse(r, err)
		return
	}
	if v.route.Stream && v.session != "" {
		watched, leave := v.guard.streams.watch(r.Context(), v.session)
		defer leave()
		r = r.WithContext(watched)
	}
	if !v.route.Unsafe() && !v.route.Audit {
		v.handle(v.w, r)
		return
	}
	v.audited(r, remarks)
}

// audited calls the handler between the two halves of its audit entry: what is
// not written there beforehand is not done.
func (v *visit) audited(r *http.Request, remarks *access.Remarks) {
	ctx, cancel := context.WithTimeout(r.Context(), recordTime)
	defer cancel()
	begun, err := v.guard.Access.Begin(ctx, v.entry(r))
	if err != nil {
		v.fail(v.w, r, err)
		return
	}
	v.begun = true
	w := &statusWriter{ResponseWriter: v.w}
	v.handle(w, r)
	ended := v.entry(r) // a sign-in has found out who
	ended.ID, ended.Outcome, ended.Detail = begun.ID, remarks.Outcome(outcomeOf(w.status)), remarks.String()
	if late(r.Context()) && ended.Outcome == access.Failed {
		ended.Outcome, ended.Detail = access.Begun, joined(ended.Detail, "given up: it may have been done")
	}
	if ended.Outcome == access.Refused {
		var listed bool
		if ended.Detail, listed = v.guard.damper.pass(v.address+" "+v.who.Name, ended.Detail); !listed {
			ended.Outcome = "" // it is taken back
		}
	}
	v.write(r, ended, v.guard.Access.End)
}

// joined is a remark with what is to be said besides.
func joined(remark, more string) string {
	if remark == "" {
		return more
	}
	return remark + "; " + more
}

// admit decides whether somebody may call the handler.
func (v *visit) admit(r *http.Request) error {
	if err := checkAddress(r); err != nil {
		return err
	}
	if err := v.identify(r); err != nil {
		return err
	}
	if !v.who.May(v.route.Needs) {
		return v.notAllowed()
	}
	return nil
}

// checkContent decides whether what was sent is given to the handler.
func (v *visit) checkContent(r *http.Request) error {
	if !v.route.Unsafe() {
		return nil
	}
	if v.who.Via != access.ViaToken {
		if err := v.checkForm(r); err != nil {
			return err
		}
	}
	return v.checkBody(r)
}

// identify finds out who asks. A public route does not ask: its pages and files
// are there also while the database is away.
func (v *visit) identify(r *http.Request) error {
	if v.route.Needs == access.Public {
		return nil
	}
	_, err := r.Cookie(v.guard.sessions.Cookie.Name)
	if err != nil && r.Header.Get("Authorization") == "" {
		return nil // the database knows nothing of them
	}
	r, cancel := v.within(r, admitTime)
	defer cancel()
	leave, err := v.guard.places.take(r.Context())
	defer leave()
	if err != nil {
		return err
	}
	if header := r.Header.Get("Authorization"); header != "" && v.route.API() {
		scheme, text, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return fault.New(fault.Unauthorized, "the API takes API tokens only").WithNext(`Send "Authorization: Bearer TOKEN".`)
		}
		v.who, err = v.guard.Access.Bearer(r.Context(), strings.TrimSpace(text))
		return err
	}
	return v.guard.resume(r, v)
}

func (v *visit) notAllowed() error {
	if v.who == (access.Principal{}) {
		f := fault.New(fault.Unauthorized, "this needs a sign-in")
		if v.route.API() {
			return f.WithNext(`Send an API token: "Authorization: Bearer TOKEN".`)
		}
		return f.WithNext("Sign in and do it again.")
	}
	return fault.New(fault.Forbidden, fmt.Sprintf("this needs the role %s; %s has the role %s", v.route.Needs.Least(), v.who.Name, v.who.Role)).
		WithNext("An administrator can change roles.")
}

// refuse answers what was not admitted, and audits refusals. An unknown visitor
// who opens a page is led to the sign-in, which is no refusal.
func (v *visit) refuse(r *http.Request, err error) {
	if r.Context().Err() != nil && !late(r.Context()) {
		return // the client has left, which is why the session was not read
	}
	kind := fault.KindOf(err)
	if kind == fault.Unauthorized && !v.route.API() && !v.route.Unsafe() {
		if v.route.Stream { // read by a script, which would follow the redirect to a page
			v.fail(v.w, r, err)
			return
		}
		http.Redirect(v.w, r, SignInPath+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		return
	}
	if kind == fault.Unauthorized || kind == fault.Forbidden {
		v.record(r, access.Refused, ProblemOf(err).Detail)
	}
	v.fail(v.w, r, err)
}

// SignInPath is the page that whoever is not signed in is led to.
const SignInPath = "/sign-in"

func (v *visit) fail(w http.ResponseWriter, r *http.Request, err error) {
	answer, _ := Late(r.Context(), err)
	if fault.KindOf(answer) == fault.Internal {
		v.guard.Log.ErrorContext(r.Context(), "a request failed", "route", v.route.Pattern, "user", v.who.Name, "err", err)
	}
	if v.route.API() {
		WriteProblem(w, answer)
		return
	}
	v.guard.Page(w, r, err)
}

// handle calls the handler; one that panics has failed, and the process goes on.
func (v *visit) handle(w http.ResponseWriter, r *http.Request) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		v.guard.Log.ErrorContext(r.Context(), "a handler panicked", "route", v.route.Pattern, "err", p, "stack", string(debug.Stack()))
		v.fail(w, r, fmt.Errorf("panic in %s", v.route.Pattern))
	}()
	v.route.Handler.ServeHTTP(w, r)
}

// recordTime bounds the writing of an audit entry, also when the client has left.
const recordTime = 5 * time.Second

// record writes the audit entry of a visit that was not admitted.
func (v *visit) record(r *http.Request, outcome access.Outcome, detail string) {
	detail, listed := v.guard.damper.pass(v.address+" "+v.who.Name, detail)
	if !listed {
		return
	}
	e := v.entry(r)
	e.Outcome, e.Detail = outcome, detail
	v.write(r, e, v.guard.Access.Record)
}

// entry is the visit's, as far as it is known.
func (v *visit) entry(r *http.Request) access.Entry {
	action := v.route.Action
	if action == "" {
		action = v.route.Pattern
	}
	return access.Entry{
		Who: v.who.Name, Role: v.who.Role, Via: v.who.Via, Action: action, Target: r.URL.Path, Address: v.address,
	}
}

// write stores an entry also when the client has left meanwhile.
func (v *visit) write(r *http.Request, e access.Entry, store func(context.Context, access.Entry) error) {
	within := recordTime
	if late(r.Context()) {
		within = lateTime // whoever asks has waited long enough
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), within)
	defer cancel()
	leave, err := v.hold(ctx) // a visit that was not admitted has none
	defer leave()
	if err == nil {
		err = store(ctx, e)
	}
	if err != nil {
		v.guard.Log.ErrorContext(ctx, "an audit entry was not written",
			"user", v.who.Name, "action", e.Action, "target", r.URL.Path, "outcome", string(e.Outcome), "err", err)
	}
}

func outcomeOf(status int) access.Outcome {
	switch {
	case status < 400:
		return access.Done
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests:
		return access.Refused
	default:
		return access.Failed
	}
}

// statusWriter remembers the status for the audit.
type statusWriter struct {
	http.ResponseWriter
	status int // 0 = nothing was written: 200
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
