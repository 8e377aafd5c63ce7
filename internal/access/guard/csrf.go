package guard

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"

	"tieline/internal/access"
	"tieline/internal/fault"
)

// Where the token of a form is looked for.
const (
	FormField  = "csrf"
	FormHeader = "X-CSRF-Token" // for scripts
)

// Token returns what a form of the request's page sends back in the field
// FormField. Whoever is not signed in gets a cookie with it, so call Token before
// anything is written.
func Token(ctx context.Context) string {
	v := visitOf(ctx)
	switch {
	case v == nil:
		return ""
	case v.csrf != "":
		return v.csrf
	case v.seed == "":
		v.seed = v.formCookie()
		if v.seed == "" {
			v.seed = rand.Text()
			v.guard.SetCookie(v.w, formCookie, v.seed, 0)
		}
	}
	return v.seed
}

const formCookie = "form"

// formCookie is the token of a browser without a session.
func (v *visit) formCookie() string {
	value := v.guard.Cookie(v.r, formCookie)
	if len(value) != len(rand.Text()) {
		return ""
	}
	return value
}

// checkForm refuses what another site sent in the browser's name: by what the
// browser says of where it comes from, and by the token that only our pages know.
func (v *visit) checkForm(r *http.Request) error {
	if err := v.guard.cross.Check(r); err != nil {
		return fault.Wrap(fault.Forbidden, err, "the request comes from another site").WithNext("Open the console itself and do it there.")
	}
	want := v.csrf
	if v.who == (access.Principal{}) {
		want = v.formCookie()
	}
	got := r.Header.Get(FormHeader)
	if got == "" && !v.route.API() {
		if err := parseForm(r); err != nil {
			return err
		}
		got = r.PostFormValue(FormField)
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		f := fault.New(fault.Forbidden, "the form is not of this session")
		if v.route.API() {
			return f.WithNext("With a session, send the header " + FormHeader + ": the value of the hidden field " + FormField + " of any form of the console. An API token needs none.")
		}
		return f.WithNext("Load the page again and repeat the change.")
	}
	return nil
}

// formMemory is how much of an uploaded file is kept in memory, in bytes.
const formMemory = 1 << 20

func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(formMemory)
	}
	if err == nil || errors.Is(err, http.ErrNotMultipart) {
		return nil
	}
	return unreadable(err, "the form")
}

// SetCookie keeps a short text in the browser, of which scripts and other sites
// see nothing, for some seconds; 0 = until the browser is closed, below = no more.
func (g *Guard) SetCookie(w http.ResponseWriter, what, value string, seconds int) {
	http.SetCookie(w, &http.Cookie{
		Name: g.cookieName(what), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, Secure: g.Secure(), SameSite: http.SameSiteLaxMode,
	})
}

// Cookie returns what SetCookie kept; "" = nothing.
func (g *Guard) Cookie(r *http.Request, what string) string {
	c, err := r.Cookie(g.cookieName(what))
	if err != nil {
		return ""
	}
	return c.Value
}
