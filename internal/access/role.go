package access

import (
	"context"
	"fmt"

	"tieline/internal/fault"
)

// Role is what an account or a token may do.
type Role string

// The roles, each of which may do what the one before it may.
const (
	Viewer   Role = "viewer"   // sees everything but accounts, tokens and the audit
	Operator Role = "operator" // also changes connectors, retries, switches over
	Admin    Role = "admin"    // also accounts, tokens and the audit
)

// Roles are all roles, the least first.
func Roles() []Role { return []Role{Viewer, Operator, Admin} }

// ParseRole reads a role; the error is fault.Invalid.
func ParseRole(text string) (Role, error) {
	for _, r := range Roles() {
		if text == string(r) {
			return r, nil
		}
	}
	return "", fault.InvalidInput("there is no such role", []fault.Problem{
		{Path: "role", Message: fmt.Sprintf("%q is no role: write viewer, operator or admin", clip(text))},
	})
}

// Permission is what a route needs of whoever asks.
type Permission int

// The permissions, the least first. The zero value is the greatest, so that a
// route that forgot to say what it needs is closed, not open.
const (
	Administer Permission = iota // role admin
	Operate                      // role operator or above
	View                         // any role
	Public                       // no sign-in
)

// String names the permission as the API document has it.
func (p Permission) String() string {
	switch p {
	case Public:
		return "public"
	case View:
		return "view"
	case Operate:
		return "operate"
	default:
		return "administer"
	}
}

// Least is the least role that has the permission; "" for Public.
func (p Permission) Least() Role {
	switch p {
	case Public:
		return ""
	case View:
		return Viewer
	case Operate:
		return Operator
	default:
		return Admin
	}
}

// How somebody proved who they are.
const (
	ViaSession = "session" // signed in with a password
	ViaOIDC    = "oidc"    // signed in at the OpenID provider
	ViaToken   = "token"   // an API token
	ViaCLI     = "cli"     // at the command line, with the database at hand
)

// Principal is who asks.
type Principal struct {
	Name string // an account's name, or "token:" and a token's name
	Role Role
	Via  string // ViaSession, ViaOIDC, ViaToken
	// Account answers for what a token does: its maker (Token.CreatedBy). "" of
	// others, who are accounts themselves.
	Account string
}

// Maker is who a token that the principal makes ends with: the account itself, or
// the one that answers for the token by which it asks.
func (p Principal) Maker() string {
	if p.Account != "" {
		return p.Account
	}
	return p.Name
}

// May reports whether the principal has a permission. It is the one comparison
// of roles there is; nobody (the zero Principal) has Public alone.
func (p Principal) May(needs Permission) bool {
	switch p.Role {
	case Admin:
		return true
	case Operator:
		return needs != Administer
	case Viewer:
		return needs == View || needs == Public
	default:
		return needs == Public
	}
}

type principalKey struct{}

// With returns a context that carries the principal. Package guard calls it.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who asks, put there by package guard; false when nobody signed in.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
