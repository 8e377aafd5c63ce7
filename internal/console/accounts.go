package console

import (
	"net/http"
	"net/url"
	"strconv"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

// accountsPage lists the accounts and adds one.
type accountsPage struct {
	Page
	problems
	Accounts []access.Account
	Name     string // of the form
	Role     access.Role
	Least    int
}

// accountPage changes one account.
type accountPage struct {
	Page
	problems
	Account access.Account
	Self    bool // it is the account of whoever asks
	Role    access.Role
	Least   int
}

// surePage asks before something that cannot be taken back.
type surePage struct {
	Page
	Effects []string
	Action  string // where the form goes
	Back    string
	Button  string
}

const (
	accountsPath = "/settings/accounts"
	ownPath      = "/settings/password"
)

func (c *Console) accountRoutes() []guard.Route {
	admin := func(pattern string, h http.HandlerFunc) guard.Route {
		return guard.Route{Pattern: "GET " + pattern, Needs: access.Administer, Handler: h}
	}
	return []guard.Route{
		admin("/settings", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, accountsPath, http.StatusSeeOther) }),
		admin(accountsPath, c.accounts),
		patient(form(accountsPath, access.Administer, "add account", c.addAccount)),
		admin(accountsPath+"/{name}", c.account),
		form(accountsPath+"/{name}/role", access.Administer, "change role", c.changeRole),
		patient(form(accountsPath+"/{name}/password", access.Administer, "set password", c.setPassword)),
		form(accountsPath+"/{name}/sign-out", access.Administer, "end sessions", c.endSessions),
		admin(accountsPath+"/{name}/remove", c.sureRemoveAccount),
		form(accountsPath+"/{name}/remove", access.Administer, "remove account", c.removeAccount),
		page(ownPath, c.ownPassword),
		patient(form(ownPath, access.View, "change own password", c.changeOwnPassword)),
		form(ownPath+"/sign-out", access.View, "end own sessions", c.endOwnSessions),
	}
}

func accountURL(name string) string { return accountsPath + "/" + url.PathEscape(name) }

func (c *Console) accounts(w http.ResponseWriter, r *http.Request) {
	c.renderAccounts(w, r, http.StatusOK, accountsPage{Role: access.Viewer})
}

func (c *Console) renderAccounts(w http.ResponseWriter, r *http.Request, status int, p accountsPage) {
	var err error
	if p.Accounts, err = c.Services.Access.Accounts(r.Context()); err != nil {
		c.fail(w, r, err)
		return
	}
	p.Page, p.Least = c.page(w, r, "Accounts", "accounts"), access.MinPassword
	c.render(w, r, status, "accounts.html", p)
}

func (c *Console) addAccount(w http.ResponseWriter, r *http.Request) {
	p := accountsPage{Name: r.PostFormValue("name"), Role: access.Role(r.PostFormValue("role"))}
	err := sameTwice(r)
	var a access.Account
	if err == nil {
		a, err = c.Services.Access.AddAccount(r.Context(), p.Name, r.PostFormValue("password"), p.Role)
	}
	switch kind := fault.KindOf(err); {
	case err == nil:
		access.Remark(r.Context(), "%s as %s", a.Name, a.Role)
		c.done(w, r, accountsPath, Notice{Kind: "ok", What: "Added " + a.Name + " as " + string(a.Role) + ".", Text: "Tell them the password by a safe way; they can change it after signing in."})
	case kind == fault.Invalid || kind == fault.Conflict:
		p.problems = problemsOf(err, "name")
		c.renderAccounts(w, r, kind.Status(), p)
	default:
		c.fail(w, r, err)
	}
}

func (c *Console) account(w http.ResponseWriter, r *http.Request) {
	c.renderAccount(w, r, http.StatusOK, problems{})
}

func (c *Console) renderAccount(w http.ResponseWriter, r *http.Request, status int, wrong problems) {
	a, err := c.Services.Access.Account(r.Context(), r.PathValue("name"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.render(w, r, status, "account.html", accountPage{
		Page: c.page(w, r, "Account "+a.Name, "accounts"), problems: wrong, Account: a, Self: a.Name == who(r),
		Role: a.Role, Least: access.MinPassword,
	})
}

func (c *Console) changeRole(w http.ResponseWriter, r *http.Request) {
	base, err := strconv.ParseInt(r.PostFormValue("base"), 10, 64)
	if err != nil {
		base = 0
	}
	c.changed(w, r, "role", access.Change{Role: access.Role(r.PostFormValue("role")), Base: base}, "The new role holds from the next sign-in; all sessions were ended.")
}

func (c *Console) setPassword(w http.ResponseWriter, r *http.Request) {
	if err := sameTwice(r); err != nil {
		c.renderAccount(w, r, http.StatusBadRequest, problemsOf(err, "password"))
		return
	}
	if r.PostFormValue("password") == "" {
		err := access.CheckPassword("", "")
		c.renderAccount(w, r, http.StatusBadRequest, problemsOf(err, "password"))
		return
	}
	c.changed(w, r, "password", access.Change{Password: r.PostFormValue("password")}, "All sessions of the account were ended.")
}

// changed changes an account and answers its form.
func (c *Console) changed(w http.ResponseWriter, r *http.Request, field string, change access.Change, text string) {
	a, err := c.Services.Access.ChangeAccount(r.Context(), r.PathValue("name"), change)
	switch kind := fault.KindOf(err); {
	case err == nil:
		c.done(w, r, accountsPath, Notice{Kind: "ok", What: "Changed the " + field + " of " + a.Name + ".", Text: text})
	case kind == fault.Invalid || kind == fault.Conflict || kind == fault.Refused:
		c.renderAccount(w, r, kind.Status(), problemsOf(err, field))
	default:
		c.fail(w, r, err)
	}
}

func (c *Console) endSessions(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	n, err := c.Services.Access.EndSessions(r.Context(), name)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	access.Remark(r.Context(), "%d sessions", n)
	c.done(w, r, accountURL(name), Notice{Kind: "ok", What: "Signed " + name + " out everywhere.", Text: plural(n, "session was", "sessions were") + " ended."})
}

func (c *Console) sureRemoveAccount(w http.ResponseWriter, r *http.Request) {
	a, err := c.Services.Access.Account(r.Context(), r.PathValue("name"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	effects := []string{a.Name + " can no longer sign in, and is signed out everywhere at once.", "What " + a.Name + " did stays in the audit and the histories."}
	made, err := c.Services.Access.TokensBy(r.Context(), a.Name)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if len(made) > 0 {
		effects = append(effects, plural(len(made), "API token that they made ends", "API tokens that they made end")+" with the account: "+list(made)+".")
	}
	c.render(w, r, http.StatusOK, "sure.html", surePage{
		Page: c.page(w, r, "Remove the account "+a.Name+"?", "accounts"), Effects: effects,
		Action: accountURL(a.Name) + "/remove", Back: accountURL(a.Name), Button: "Remove " + a.Name,
	})
}

func (c *Console) removeAccount(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := c.Services.Access.RemoveAccount(r.Context(), name, 0); err != nil {
		c.undone(w, r, accountURL(name), err)
		return
	}
	c.done(w, r, accountsPath, Notice{Kind: "ok", What: "Removed the account " + name + ".", Text: "Its sessions and the API tokens it made were ended."})
}

// ownPage is for the account of whoever asks.
type ownPage struct {
	Page
	problems
	Local bool // it has a password here
	Least int
}

func (c *Console) ownPassword(w http.ResponseWriter, r *http.Request) {
	c.renderOwn(w, r, http.StatusOK, problems{})
}

func (c *Console) renderOwn(w http.ResponseWriter, r *http.Request, status int, wrong problems) {
	p, _ := access.From(r.Context())
	c.render(w, r, status, "own.html", ownPage{
		Page: c.page(w, r, "Your account", "own"), problems: wrong, Local: p.Via == access.ViaSession, Least: access.MinPassword,
	})
}

func (c *Console) changeOwnPassword(w http.ResponseWriter, r *http.Request) {
	err := sameTwice(r)
	var a access.Account
	if err == nil {
		a, err = c.Services.Access.ChangeOwnPassword(r.Context(), who(r), r.PostFormValue("present"), r.PostFormValue("password"), c.Guard.From(r, who(r)))
	}
	if err == nil {
		err = c.Guard.SignIn(w, r, a, access.ViaSession) // the change ended this session too
	}
	switch kind := fault.KindOf(err); {
	case err == nil:
		c.done(w, r, ownPath, Notice{Kind: "ok", What: "Changed your password.", Text: "Your other sessions were ended."})
	case kind == fault.Invalid || kind == fault.TooMany:
		c.renderOwn(w, r, kind.Status(), problemsOf(err, "present"))
	default:
		c.fail(w, r, err)
	}
}

func (c *Console) endOwnSessions(w http.ResponseWriter, r *http.Request) {
	if _, err := c.Services.Access.EndSessions(r.Context(), who(r)); err != nil {
		c.fail(w, r, err)
		return
	}
	c.done(w, r, guard.SignInPath, Notice{Kind: "ok", What: "You are signed out everywhere.", Text: "Every browser that was signed in as you has to sign in again."})
}
