package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

// Token is an API token as it is stored: its text is known to its holder alone.
// Times are by the database's clock.
type Token struct {
	Name      string // unique; lower case
	Role      Role
	Hash      string // of its text
	CreatedBy string // the account that made it, or CLIMaker and who
	MakerRole Role   // of that account now; "" = it is none
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // to the minute; zero = never
}

// CLIMaker stands before the name of who made a token at the command line, with
// the database at hand: such a token has no account to end with.
const CLIMaker = "cli:"

// Effective is the role the token has: the lesser of its own and its maker's. It
// cannot do what its maker may not.
func (t Token) Effective() Role {
	for _, r := range Roles() {
		if r == t.Role || r == t.MakerRole {
			return r
		}
	}
	return ""
}

// NewToken asks for a token.
type NewToken struct {
	Name  string
	Role  Role
	Valid time.Duration // 1 minute to a year
	Who   string        // the account it ends with, or CLIMaker and who
}

// How long a token may be valid.
const (
	MinTokenTime = time.Minute
	MaxTokenTime = 366 * 24 * time.Hour
)

// tokenPrefix makes a token recognisable to people and to secret scanners.
const tokenPrefix = "tieline_"

// CreateToken makes a token and returns its text, which is shown once. The error
// is fault.Invalid, or fault.Conflict for a name in use.
func (s *Service) CreateToken(ctx context.Context, n NewToken) (Token, secret.String, error) {
	name, err := CheckName(n.Name)
	if err != nil {
		return Token{}, secret.String{}, err
	}
	role, err := ParseRole(string(n.Role))
	if err != nil {
		return Token{}, secret.String{}, err
	}
	if n.Valid < MinTokenTime || n.Valid > MaxTokenTime {
		return Token{}, secret.String{}, fault.InvalidInput("the token cannot be made", []fault.Problem{
			{Path: "valid", Message: "must be from 1 minute to 366 days"},
		})
	}
	text := newSecret(tokenPrefix)
	t, err := s.store.AddToken(ctx, Token{Name: name, Role: role, Hash: hashOf(text.Reveal()), CreatedBy: n.Who}, n.Valid)
	return t, text, err
}

// Tokens lists the tokens by name, also those that are good no more.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) { return s.store.Tokens(ctx) }

// TokensBy returns the names of the tokens that somebody made.
func (s *Service) TokensBy(ctx context.Context, who string) ([]string, error) {
	all, err := s.store.Tokens(ctx)
	var names []string
	for _, t := range all {
		if t.CreatedBy == who {
			names = append(names, t.Name)
		}
	}
	return names, err
}

// RevokeToken removes a token at once; fault.NotFound when there is none.
func (s *Service) RevokeToken(ctx context.Context, name string) error {
	return s.store.RevokeToken(ctx, strings.ToLower(name))
}

// Bearer returns who holds a token's text; fault.Unauthorized for one that is
// unknown, revoked or expired, or whose maker's account was removed.
func (s *Service) Bearer(ctx context.Context, text string) (Principal, error) {
	refused := fault.New(fault.Unauthorized, "the API token is not known here, was revoked, has expired, or ended with the account that made it").
		WithNext(`An administrator makes one at /settings/tokens or with "tieline token create".`)
	if !strings.HasPrefix(text, tokenPrefix) || len(text) > 200 {
		return Principal{}, refused
	}
	t, found, err := s.store.UseToken(ctx, hashOf(text))
	if err != nil {
		return Principal{}, err
	}
	if !found {
		return Principal{}, refused
	}
	return Principal{Name: fmt.Sprintf("token:%s", t.Name), Role: t.Effective(), Via: ViaToken, Account: t.CreatedBy}, nil
}

// newSecret makes 256 random bits into a text for a header or a URL.
func newSecret(prefix string) secret.String {
	return secret.New(prefix + base64.RawURLEncoding.EncodeToString(randomBytes(32)))
}

// hashOf is how a random secret is stored. It needs no salt and no slowness: it
// cannot be guessed.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
