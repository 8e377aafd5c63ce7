package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/access"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// reading are the verbs on the database that change nothing. Each use of any
// other stands in the audit, beside what console and API do: one that was added
// and not listed here is audited for nothing, not forgotten.
var reading = []string{
	"status", "alert list", "alert show", "alert timeline", "connector diff", "connector history", "connector list", "connector show",
	"db check", "ha history", "ha settings show", "token list", "user list",
}

// auditTime bounds the writing of an audit entry, also after an interrupt.
const auditTime = 5 * time.Second

// audited runs a verb between the two halves of its audit entry: what cannot be
// written there beforehand is not done.
func (c *command) audited(cmd *cobra.Command, db *store.DB, args []string, run func(*cobra.Command, *store.DB, []string) error) error {
	verb := strings.TrimPrefix(cmd.CommandPath(), "tieline ")
	if slices.Contains(reading, verb) {
		return run(cmd, db, args)
	}
	service := access.New(db, "", nil)
	e, err := service.Begin(cmd.Context(), access.Entry{Who: c.who(), Via: access.ViaCLI, Action: verb, Target: strings.Join(args, " ")})
	if err != nil {
		return err
	}
	ctx, remarks := access.WithRemarks(cmd.Context())
	cmd.SetContext(ctx)
	failed := run(cmd, db, args)
	e.Outcome, e.Detail = remarks.Outcome(access.Done), remarks.String()
	if failed != nil {
		e.Outcome = access.Failed
		e.Detail = strings.TrimPrefix(e.Detail+"; "+why(failed), "; ")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTime)
	defer cancel()
	if err := service.End(ctx, e); err != nil && failed == nil {
		return fault.Wrap(fault.Unavailable, err, "it was done, but the audit does not say so: its entry stays as begun")
	}
	return failed
}

// auditMade enters a verb that made the very tables the audit is in, when it is
// done: there was nothing to write into before.
func (c *command) auditMade(cmd *cobra.Command, url, detail string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), auditTime)
	defer cancel()
	db, err := store.Open(ctx, url, store.Options{MaxConns: 1})
	if err == nil {
		defer db.Close()
		err = access.New(db, "", nil).Record(ctx, access.Entry{
			Who: c.who(), Via: access.ViaCLI, Action: strings.TrimPrefix(cmd.CommandPath(), "tieline "), Detail: detail, Outcome: access.Done,
		})
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, err, "it was done, but not written to the audit")
	}
	return nil
}

// why is what the audit says of a verb that failed.
func why(err error) string {
	var quiet exitCode
	if errors.As(err, &quiet) {
		return quiet.Error()
	}
	return fault.Message(err)
}
