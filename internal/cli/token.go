package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/store"
)

func newToken(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:     "token",
		Aliases: []string{"tokens"},
		Short:   "API tokens: create, list, revoke",
		Long: `Programs use the API with a token: "Authorization: Bearer TOKEN". A token has a role, as
an account has, and expires. Its text is shown once, when it is made. One made at the
console or by the API ends with the account that made it, and may do no more than that
account; one made here, with the database at hand, is good until it expires or is revoked.`,
	}, newTokenList(c), newTokenCreate(c), newTokenRevoke(c))
}

// tokenView is a token for people and programs: without its text.
type tokenView struct {
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Effective string     `json:"effective_role"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	UsedAt    *time.Time `json:"used_at"`
}

func viewToken(t access.Token) tokenView {
	v := tokenView{Name: t.Name, Role: string(t.Role), Effective: string(t.Effective()), CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
	if !t.UsedAt.IsZero() {
		v.UsedAt = &t.UsedAt
	}
	return v
}

func newTokenList(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the API tokens",
		Args:  args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			all, err := db.Tokens(cmd.Context())
			if err != nil {
				return err
			}
			views := make([]tokenView, 0, len(all))
			for _, t := range all {
				views = append(views, viewToken(t))
			}
			return c.print(views, func(w io.Writer) {
				t := newTable(w, "NAME", "ROLE", "EXPIRES", "LAST USED", "MADE BY")
				for _, token := range all {
					t.row(token.Name, tokenRole(token), stamp(token.ExpiresAt), stamp(token.UsedAt), token.CreatedBy)
				}
				t.flush()
			})
		}),
	}
}

// tokenRole is a token's role, and what is left of it.
func tokenRole(t access.Token) string {
	if t.Effective() == t.Role {
		return string(t.Role)
	}
	return fmt.Sprintf("%s (%s: its maker is no more)", t.Role, t.Effective())
}

func newTokenCreate(c *command) *cobra.Command {
	var role string
	var days int
	cmd := &cobra.Command{
		Use:   "create name",
		Short: "Make an API token and show its text once",
		Example: `  tieline token create ci --role operator --days 30
  TOKEN=$(tieline token create ci -o json | jq -r .token)`,
		Args: args(cobra.ExactArgs(1)),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			t, text, err := access.New(db, "", nil).CreateToken(cmd.Context(), access.NewToken{
				Name: args[0], Role: access.Role(role), Valid: time.Duration(days) * 24 * time.Hour, Who: access.CLIMaker + c.who(),
			})
			if err != nil {
				return err
			}
			access.Remark(cmd.Context(), "as %s until %s", t.Role, stamp(t.ExpiresAt))
			view := struct {
				tokenView
				Token string `json:"token"`
			}{viewToken(t), text.Reveal()}
			return c.print(view, func(w io.Writer) {
				fmt.Fprintf(w, "Made the API token %s, good as %s until %s. Its text, shown this once:\n  %s\n", t.Name, t.Role, stamp(t.ExpiresAt), view.Token)
			})
		}),
	}
	cmd.Flags().StringVar(&role, "role", string(access.Viewer), "viewer, operator or admin")
	_ = cmd.RegisterFlagCompletionFunc("role", roles)
	cmd.Flags().IntVar(&days, "days", 90, "how long it is good, 1 to 366 days")
	return cmd
}

func newTokenRevoke(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "revoke name",
		Short:   "Revoke an API token at once",
		Example: "  tieline token revoke ci",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, tokenNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if err := access.New(db, "", nil).RevokeToken(cmd.Context(), args[0]); err != nil {
				return err
			}
			c.say("Revoked %s.", args[0])
			return nil
		}),
	}
}

// roles completes the names of roles.
func roles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var all []string
	for _, r := range access.Roles() {
		all = append(all, string(r))
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

func userNames(ctx context.Context, db *store.DB) ([]string, error) {
	all, err := db.Accounts(ctx)
	return namesOf(all, func(a access.Account) string { return a.Name }), err
}

func tokenNames(ctx context.Context, db *store.DB) ([]string, error) {
	all, err := db.Tokens(ctx)
	return namesOf(all, func(t access.Token) string { return t.Name }), err
}

func namesOf[T any](all []T, name func(T) string) []string {
	names := make([]string, 0, len(all))
	for _, v := range all {
		names = append(names, name(v))
	}
	return names
}
