package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/access/openid"
	"tieline/internal/fault"
)

// signInPage asks for name and password, or leads to the OpenID provider.
type signInPage struct {
	Page
	Name     string
	Next     string // the page to go on with
	Problem  string // why the last try was refused
	NeedsSet bool   // there is no administrator yet
	OpenID   string // text of the provider's button; "" = there is none
}

// setUpPage makes the first administrator.
type setUpPage struct {
	Page
	problems
	Token string
	Name  string
	Least int // characters of a password
}

// openIDFlow is the guard's cookie that keeps a sign-in at the provider.
const (
	openIDFlow = "openid"
	openIDTime = 600 // seconds until a sign-in at the provider is forgotten
)

func (c *Console) signInRoutes() []guard.Route {
	public := func(pattern, action string, h http.HandlerFunc) guard.Route {
		return guard.Route{Pattern: pattern, Needs: access.Public, Action: action, Handler: h}
	}
	back := patient(public("GET /sign-in/oidc", "sign in by OpenID", c.openIDBack))
	back.Audit = true
	return []guard.Route{
		public("GET "+guard.SignInPath, "", c.signIn),
		patient(public("POST "+guard.SignInPath, "sign in", c.signInForm)),
		patient(public("GET /sign-in/oidc/begin", "", c.openIDBegin)),
		back,
		public("GET /set-up", "", c.setUp),
		patient(public("POST /set-up", "set up the first administrator", c.setUpForm)),
		form("/sign-out", access.View, "sign out", c.signOut),
	}
}

func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	c.renderSignIn(w, r, http.StatusOK, signInPage{Next: r.URL.Query().Get("next")})
}

func (c *Console) renderSignIn(w http.ResponseWriter, r *http.Request, status int, p signInPage) {
	p.Page = c.page(w, r, "Sign in", "")
	if c.OpenID != nil {
		p.OpenID = c.OpenIDLabel
	}
	p.NeedsSet = c.needsSetUp(r.Context())
	p.Next = localPath(p.Next)
	c.render(w, r, status, "sign-in.html", p)
}

// setUpTime bounds the question whether there is an administrator: the sign-in
// page is there also without the database.
const setUpTime = time.Second

func (c *Console) needsSetUp(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, setUpTime)
	defer cancel()
	needed, err := c.Services.Access.NeedsSetUp(ctx)
	return err == nil && needed
}

func (c *Console) signInForm(w http.ResponseWriter, r *http.Request) {
	name, next := r.PostFormValue("name"), r.PostFormValue("next")
	a, err := c.Services.Access.SignIn(r.Context(), name, r.PostFormValue("password"), c.Guard.From(r, name))
	if err == nil {
		err = c.Guard.SignIn(w, r, a, access.ViaSession)
	}
	switch kind := fault.KindOf(err); {
	case err == nil:
		http.Redirect(w, r, localPath(next), http.StatusSeeOther)
	case kind == fault.Internal:
		c.fail(w, r, err)
	default:
		c.notSignedIn(w, r, err, signInPage{Name: name, Next: next})
	}
}

// notSignedIn shows the sign-in page with why a sign-in failed.
func (c *Console) notSignedIn(w http.ResponseWriter, r *http.Request, err error, p signInPage) {
	details := guard.ProblemOf(err)
	access.Remark(r.Context(), "%s", details.Detail)
	p.Problem = capital(details.Detail) + "."
	var known *fault.Error
	if errors.As(err, &known) && known.Next != "" {
		p.Problem += " " + nextStep(known)
	}
	details.Header(w.Header())
	w.Header().Del("WWW-Authenticate") // of the API; here a form asks
	c.renderSignIn(w, r, details.Status, p)
}

func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if err := c.Guard.SignOut(w, r); err != nil {
		c.fail(w, r, err)
		return
	}
	c.done(w, r, guard.SignInPath, Notice{Kind: "ok", What: "You are signed out.", Text: "Nobody can go on in your name in this browser."})
}

func (c *Console) openIDBegin(w http.ResponseWriter, r *http.Request) {
	if c.OpenID == nil {
		c.noPage(w, r)
		return
	}
	address, flow, err := c.OpenID.Begin(r.Context(), localPath(r.URL.Query().Get("next")))
	if fault.KindOf(err) == fault.Unavailable && err != nil {
		c.Log.WarnContext(r.Context(), "a sign-in by OpenID failed", "err", err)
		c.notSignedIn(w, r, err, signInPage{Next: r.URL.Query().Get("next")})
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	text, err := json.Marshal(flow)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.Guard.SetCookie(w, openIDFlow, base64.RawURLEncoding.EncodeToString(text), openIDTime)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (c *Console) openIDBack(w http.ResponseWriter, r *http.Request) {
	if c.OpenID == nil {
		c.noPage(w, r)
		return
	}
	var flow openid.Flow
	if text, err := base64.RawURLEncoding.DecodeString(c.Guard.Cookie(r, openIDFlow)); err == nil {
		_ = json.Unmarshal(text, &flow) // one that cannot be read is none, which Finish refuses
	}
	c.Guard.SetCookie(w, openIDFlow, "", -1)
	id, err := c.OpenID.Finish(r.Context(), flow, r.URL.Query())
	var a access.Account
	if err == nil {
		access.Remark(r.Context(), "as %s, %s", id.Name, id.Role)
		a, err = c.Services.Access.SignInOIDC(r.Context(), id)
	}
	if err == nil {
		err = c.Guard.SignIn(w, r, a, access.ViaOIDC)
	}
	if err != nil {
		c.Log.WarnContext(r.Context(), "a sign-in by OpenID failed", "err", err)
		if fault.KindOf(err) == fault.Internal {
			c.fail(w, r, err)
			return
		}
		c.notSignedIn(w, r, err, signInPage{Next: flow.Next})
		return
	}
	http.Redirect(w, r, localPath(flow.Next), http.StatusSeeOther)
}

func (c *Console) setUp(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if err := c.Services.Access.CheckSetUp(r.Context(), token); err != nil {
		c.fail(w, r, err)
		return
	}
	c.renderSetUp(w, r, http.StatusOK, setUpPage{Token: token, Name: "admin"})
}

func (c *Console) renderSetUp(w http.ResponseWriter, r *http.Request, status int, p setUpPage) {
	p.Page, p.Least = c.page(w, r, "Set up the first administrator", ""), access.MinPassword
	c.render(w, r, status, "set-up.html", p)
}

func (c *Console) setUpForm(w http.ResponseWriter, r *http.Request) {
	p := setUpPage{Token: r.PostFormValue("token"), Name: r.PostFormValue("name")}
	err := sameTwice(r)
	var a access.Account
	if err == nil {
		a, err = c.Services.Access.SetUp(r.Context(), p.Token, p.Name, r.PostFormValue("password"))
	}
	if err == nil {
		access.Remark(r.Context(), "%s, %s", a.Name, a.Role)
		err = c.Guard.SignIn(w, r, a, access.ViaSession)
	}
	switch kind := fault.KindOf(err); {
	case err == nil:
		c.done(w, r, "/", Notice{Kind: "ok", What: "You are the first administrator.", Text: "Set-up links are no longer good. Add accounts for others under Settings."})
	case kind == fault.Invalid || kind == fault.Conflict:
		p.problems = problemsOf(err, "name")
		c.renderSetUp(w, r, kind.Status(), p)
	default:
		c.fail(w, r, err)
	}
}

// sameTwice compares the two fields of a new password.
func sameTwice(r *http.Request) error {
	if r.PostFormValue("password") == r.PostFormValue("again") {
		return nil
	}
	return fault.InvalidInput("the password was not typed twice alike", []fault.Problem{{Path: "again", Message: "must be the same as above"}})
}

// problems are what is wrong with a form, by the field's name. Page structs of
// forms embed them.
type problems struct{ Problems []fault.Problem }

// problemsOf puts an error at its fields; one that names none stands at the
// field it is about.
func problemsOf(err error, field string) problems {
	if all := fault.ProblemsOf(err); len(all) > 0 {
		return problems{all}
	}
	return problems{[]fault.Problem{{Path: field, Message: fault.Message(err)}}}
}

// Problem is what is wrong with a field; "" = nothing.
func (p problems) Problem(field string) string {
	for _, one := range p.Problems {
		if one.Path == field {
			return capital(one.Message) + "."
		}
	}
	return ""
}
