package cli

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/store"
)

func newUser(c *command) *cobra.Command {
	return parent(&cobra.Command{
		Use:     "user",
		Aliases: []string{"users"},
		Short:   "Accounts of the console: add, list, change, remove",
		Long: `An account has a name, a password and a role: viewer sees everything but the settings,
operator also changes connectors and alerts, admin also accounts, API tokens and the audit.

With the database at hand these verbs work without signing in: they are also the way back
when no administrator knows their password any more.`,
	}, newUserList(c), newUserAdd(c), newUserSetRole(c), newUserSetPassword(c), newUserSignOut(c), newUserRemove(c))
}

// userView is an account for people and programs: without its password's hash.
type userView struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind"`
	Role       string     `json:"role"`
	CreatedAt  time.Time  `json:"created_at"`
	ChangedAt  time.Time  `json:"changed_at"`
	SignedInAt *time.Time `json:"signed_in_at"`
}

func viewUser(a access.Account) userView {
	v := userView{Name: a.Name, Kind: string(a.Kind), Role: string(a.Role), CreatedAt: a.CreatedAt, ChangedAt: a.ChangedAt}
	if !a.SignedInAt.IsZero() {
		v.SignedInAt = &a.SignedInAt
	}
	return v
}

func newUserList(c *command) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  args(cobra.NoArgs),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, _ []string) error {
			all, err := db.Accounts(cmd.Context())
			if err != nil {
				return err
			}
			views := make([]userView, 0, len(all))
			for _, a := range all {
				views = append(views, viewUser(a))
			}
			return c.print(views, func(w io.Writer) {
				t := newTable(w, "NAME", "ROLE", "KIND", "LAST SIGN-IN", "CHANGED")
				for _, a := range all {
					t.row(a.Name, a.Role, a.Kind, stamp(a.SignedInAt), stamp(a.ChangedAt))
				}
				t.flush()
			})
		}),
	}
}

func newUserAdd(c *command) *cobra.Command {
	var role, file string
	cmd := &cobra.Command{
		Use:   "add name",
		Short: "Add an account",
		Long: `Add an account. Without --password-file a password is made and shown this once;
the account's owner can change it after signing in.`,
		Example: `  tieline user add ann --role admin
  pass show tieline/bob | tieline user add bob --role operator --password-file -`,
		Args: args(cobra.ExactArgs(1)),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			password, made, err := c.password(file)
			if err != nil {
				return err
			}
			a, err := access.New(db, "", nil).AddAccount(cmd.Context(), args[0], password, access.Role(role))
			if err != nil {
				return err
			}
			access.Remark(cmd.Context(), "as %s", a.Role)
			return c.printUser(a, password, made, fmt.Sprintf("Added %s as %s.", a.Name, a.Role))
		}),
	}
	cmd.Flags().StringVar(&role, "role", string(access.Viewer), "viewer, operator or admin")
	_ = cmd.RegisterFlagCompletionFunc("role", roles)
	passwordFlag(cmd, &file)
	return cmd
}

func newUserSetRole(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "set-role name role",
		Short:   "Change an account's role; ends its sessions",
		Example: "  tieline user set-role bob admin",
		Args:    args(cobra.ExactArgs(2)), ValidArgsFunction: c.names(0, userNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			role, err := access.ParseRole(args[1])
			if err != nil {
				return err
			}
			a, err := access.New(db, "", nil).ChangeAccount(cmd.Context(), args[0], access.Change{Role: role})
			if err != nil {
				return err
			}
			return c.printUser(a, "", false, fmt.Sprintf("%s is %s from the next sign-in; all sessions were ended.", a.Name, a.Role))
		}),
	}
}

func newUserSetPassword(c *command) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "set-password name",
		Short: "Set an account's password; ends its sessions",
		Long:  `Set an account's password. Without --password-file one is made and shown this once.`,
		Example: `  tieline user set-password ann
  tieline user set-password ann --password-file /run/secrets/ann`,
		Args: args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, userNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			password, made, err := c.password(file)
			if err != nil {
				return err
			}
			a, err := access.New(db, "", nil).ChangeAccount(cmd.Context(), args[0], access.Change{Password: password})
			if err != nil {
				return err
			}
			return c.printUser(a, password, made, fmt.Sprintf("Set the password of %s; all sessions were ended.", a.Name))
		}),
	}
	passwordFlag(cmd, &file)
	return cmd
}

func newUserSignOut(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "sign-out name",
		Short:   "End all sessions of an account",
		Example: "  tieline user sign-out bob",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, userNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			s := access.New(db, "", nil)
			a, err := s.Account(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			n, err := s.EndSessions(cmd.Context(), a.Name)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"name": a.Name, "ended": n}, func(w io.Writer) {
				fmt.Fprintf(w, "Ended %d sessions of %s.\n", n, a.Name)
			})
		}),
	}
}

func newUserRemove(c *command) *cobra.Command {
	return &cobra.Command{
		Use:     "remove name",
		Short:   "Remove an account; ends its sessions and API tokens",
		Long:    `Remove an account, its sessions and the API tokens it made. The last administrator with a password cannot be removed (exit code 7).`,
		Example: "  tieline user remove bob",
		Args:    args(cobra.ExactArgs(1)), ValidArgsFunction: c.names(0, userNames),
		RunE: c.withDB(func(cmd *cobra.Command, db *store.DB, args []string) error {
			if err := access.New(db, "", nil).RemoveAccount(cmd.Context(), args[0], 0); err != nil {
				return err
			}
			c.say("Removed %s.", args[0])
			return nil
		}),
	}
}

// printUser prints an account after a change, with its password when it was made here.
func (c *command) printUser(a access.Account, password string, made bool, said string) error {
	view := struct {
		userView
		Password string `json:"password,omitempty"`
	}{userView: viewUser(a)}
	if made {
		view.Password = password
	}
	return c.print(view, func(w io.Writer) {
		fmt.Fprintln(w, said)
		if made {
			fmt.Fprintf(w, "The password, shown this once:\n  %s\n", password)
		}
	})
}

func passwordFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "password-file", "", `file whose first line is the password; "-" reads the standard input (default: make one)`)
	_ = cmd.MarkFlagFilename("password-file")
}

// password reads a password, or makes one when no file was given. A password on
// the command line itself would stand in the shell's history.
func (c *command) password(file string) (password string, made bool, err error) {
	if file == "" {
		return rand.Text(), true, nil
	}
	in := c.In
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", false, fault.Wrap(fault.Invalid, err, fmt.Sprintf("the password file %s cannot be read", file))
		}
		defer f.Close()
		in = f
	}
	line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, fault.Wrap(fault.Invalid, err, "the password cannot be read")
	}
	password = strings.TrimRight(line, "\r\n")
	if password == "" {
		return "", false, fault.New(fault.Invalid, "the password is empty").WithNext("Its file's first line must be the password.")
	}
	return password, false, nil
}
