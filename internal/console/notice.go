package console

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

const (
	noticeCookie = "tieline-notice"
	themeCookie  = "tieline-theme"
	noticeTime   = 60 // seconds until a notice that nobody read is gone
	themeTime    = 365 * 24 * 60 * 60
)

// done answers a form: the browser loads the page at the path and shows the notice.
func (c *Console) done(w http.ResponseWriter, r *http.Request, path string, n Notice) {
	c.setNotice(w, n)
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// undone answers a form that could not be done, where the page it came from is
// the right place to say so. What the person typed is not lost where the page
// renders its form again instead; use fail or render there.
func (c *Console) undone(w http.ResponseWriter, r *http.Request, path string, err error) {
	var known *fault.Error
	if !errors.As(err, &known) || known.Kind == fault.Internal || known.Kind == fault.Unavailable || errors.Is(err, errUnseen) {
		c.fail(w, r, err)
		return
	}
	access.NotDone(r.Context(), err)
	c.done(w, r, path, Notice{Kind: "red", What: capital(known.Msg), Text: nextStep(known)})
}

// decidedOn is the tag of what the person saw who pressed a form's button. The
// services take "" for whatever is there; nobody at the console decides on that.
func decidedOn(r *http.Request) (string, error) {
	if seen := r.PostFormValue("seen"); seen != "" {
		return seen, nil
	}
	return "", notDecidedOn()
}

// errUnseen is the cause of the refusal of a form that does not say what was seen
// when it was made: none of the console's own is. It is answered 428, as the API
// answers without If-Match.
var errUnseen = errors.New("nothing says what was seen")

func notDecidedOn() error {
	return fault.Wrap(fault.Invalid, errUnseen, "the form does not say what it was made from").WithNext("Load the page again and repeat the change.")
}

func (c *Console) setNotice(w http.ResponseWriter, n Notice) {
	text, err := json.Marshal(n)
	if err != nil {
		panic(err) // texts always marshal
	}
	c.setCookie(w, noticeCookie, base64.RawURLEncoding.EncodeToString(text), noticeTime)
}

// takeNotice returns the notice of the form before and forgets it.
func (c *Console) takeNotice(w http.ResponseWriter, r *http.Request) *Notice {
	cookie, err := r.Cookie(noticeCookie)
	if err != nil || w == nil || fragmentOf(r) != "" { // a part of a page has no place for it
		return nil
	}
	c.setCookie(w, noticeCookie, "", -1)
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return nil
	}
	n := new(Notice)
	if json.Unmarshal(text, n) != nil {
		return nil
	}
	return n
}

// setCookie sets one of the frame's own cookies, which hold nothing to protect.
func (c *Console) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age,
		HttpOnly: true, Secure: c.Secure, SameSite: http.SameSiteLaxMode,
	})
}

func themeOf(r *http.Request) string {
	if cookie, err := r.Cookie(themeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		return cookie.Value
	}
	return ""
}

// frameRoutes are those of what stands on every page.
func (c *Console) frameRoutes() []guard.Route {
	return []guard.Route{
		{Pattern: "GET /live", Needs: access.View, Handler: http.HandlerFunc(c.stream), Stream: true},
		{Pattern: "GET /", Needs: access.Public, Work: guard.Still, Handler: http.HandlerFunc(c.noPage)},
		form("/theme", access.View, "choose theme", c.chooseTheme),
	}
}

// noPage answers what no other route does. Programs that ask for what is not
// there are told so, and not led to the sign-in.
func (c *Console) noPage(w http.ResponseWriter, r *http.Request) {
	c.fail(w, r, fault.New(fault.NotFound, "there is no page "+r.URL.Path).WithNext("The overview leads to those there are."))
}

// chooseTheme keeps the choice in the browser.
func (c *Console) chooseTheme(w http.ResponseWriter, r *http.Request) {
	theme, age := r.PostFormValue("theme"), themeTime
	if theme != "light" && theme != "dark" {
		theme, age = "", -1
	}
	c.setCookie(w, themeCookie, theme, age)
	http.Redirect(w, r, localPath(r.PostFormValue("back")), http.StatusSeeOther)
}

// localPath returns a path of this console, whatever was asked for.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return u.RequestURI()
}
