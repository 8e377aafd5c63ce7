package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tieline/internal/access"
	"tieline/internal/access/guard"
	"tieline/internal/fault"
)

// tokensPage lists the API tokens and makes one.
type tokensPage struct {
	Page
	problems
	Tokens []access.Token
	Name   string // of the form
	Role   access.Role
	Days   int
	Made   *madeToken // the one just made, shown this once
	Base   string     // of the API, for the example
}

type madeToken struct {
	access.Token
	Text string
}

const (
	tokensPath = "/settings/tokens"
	tokenDays  = 90 // how long a token is valid unless told otherwise
)

func (c *Console) tokenRoutes() []guard.Route {
	return []guard.Route{
		{Pattern: "GET " + tokensPath, Needs: access.Administer, Handler: http.HandlerFunc(c.tokens)},
		form(tokensPath, access.Administer, "create API token", c.createToken),
		{Pattern: "GET " + tokensPath + "/{name}/revoke", Needs: access.Administer, Handler: http.HandlerFunc(c.sureRevoke)},
		form(tokensPath+"/{name}/revoke", access.Administer, "revoke API token", c.revokeToken),
	}
}

func (c *Console) tokens(w http.ResponseWriter, r *http.Request) {
	c.renderTokens(w, r, http.StatusOK, tokensPage{Role: access.Viewer, Days: tokenDays})
}

func (c *Console) renderTokens(w http.ResponseWriter, r *http.Request, status int, p tokensPage) {
	var err error
	if p.Tokens, err = c.Services.Access.Tokens(r.Context()); err != nil {
		c.fail(w, r, err)
		return
	}
	scheme := "http"
	if c.Secure {
		scheme = "https"
	}
	p.Page, p.Base = c.page(w, r, "API tokens", "tokens"), scheme+"://"+r.Host+"/api/v1"
	c.render(w, r, status, "tokens.html", p)
}

// createToken answers with the page itself: the token's text is in it, and
// nowhere else.
func (c *Console) createToken(w http.ResponseWriter, r *http.Request) {
	p := tokensPage{Name: r.PostFormValue("name"), Role: access.Role(r.PostFormValue("role")), Days: tokenDays}
	days, err := strconv.Atoi(r.PostFormValue("days"))
	if err != nil {
		err = fault.InvalidInput("the token cannot be made", []fault.Problem{{Path: "valid", Message: "must be a number of days"}})
	}
	var t access.Token
	if err == nil {
		p.Days = days
		var text interface{ Reveal() string }
		t, text, err = c.Services.Access.CreateToken(r.Context(), access.NewToken{
			Name: p.Name, Role: p.Role, Valid: time.Duration(days) * 24 * time.Hour, Who: maker(r),
		})
		p.Made = &madeToken{t, text.Reveal()}
	}
	switch kind := fault.KindOf(err); {
	case err == nil:
		access.Remark(r.Context(), "%s as %s until %s", t.Name, t.Role, t.ExpiresAt.Format(time.DateOnly))
		p.Name, p.Role, p.Days = "", access.Viewer, tokenDays
		c.renderTokens(w, r, http.StatusCreated, p)
	case kind == fault.Invalid || kind == fault.Conflict:
		p.problems, p.Made = problemsOf(err, "name"), nil
		c.renderTokens(w, r, kind.Status(), p)
	default:
		c.fail(w, r, err)
	}
}

func (c *Console) sureRevoke(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	c.render(w, r, http.StatusOK, "sure.html", surePage{
		Page:    c.page(w, r, "Revoke the API token "+name+"?", "tokens"),
		Effects: []string{"Whoever uses it is refused from the next request on.", "It cannot be brought back; another one has another text."},
		Action:  tokensPath + "/" + url.PathEscape(name) + "/revoke", Back: tokensPath, Button: "Revoke " + name,
	})
}

func (c *Console) revokeToken(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := c.Services.Access.RevokeToken(r.Context(), name); err != nil {
		c.undone(w, r, tokensPath, err)
		return
	}
	c.done(w, r, tokensPath, Notice{Kind: "ok", What: "Revoked the API token " + name + ".", Text: "It is refused from now on."})
}

// maker is who a new token ends with.
func maker(r *http.Request) string {
	p, _ := access.From(r.Context())
	return p.Maker()
}

// Maker is who made a token, for people.
func (tokensPage) Maker(t access.Token) string {
	if who, ok := strings.CutPrefix(t.CreatedBy, access.CLIMaker); ok {
		return who
	}
	return t.CreatedBy
}

// AtCLI reports whether a token was made at the command line and ends with no account.
func (tokensPage) AtCLI(t access.Token) bool { return strings.HasPrefix(t.CreatedBy, access.CLIMaker) }

// Expired reports whether a token is no longer good.
func (p tokensPage) Expired(t access.Token) bool { return !t.ExpiresAt.After(p.Now) }
