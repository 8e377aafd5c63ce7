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

// audit records the use of a verb that may change something. A change that cannot
// be recorded is an error, so that its absence is noticed.
func (c *command) audit(cmd *cobra.Command, db *store.DB, args []string, remarks *access.Remarks, failed error) error {
	verb := strings.TrimPrefix(cmd.CommandPath(), "tieline ")
	if slices.Contains(reading, verb) {
		return failed
	}
	e := access.Entry{
		Who: c.who(), Via: access.ViaCLI, Action: verb, Target: strings.Join(args, " "), Detail: remarks.String(), Outcome: access.Done,
	}
	if failed != nil {
		e.Outcome = access.Failed
		e.Detail = strings.TrimPrefix(e.Detail+"; "+why(failed), "; ")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), auditTime)
	defer cancel()
	if err := access.New(db, "", nil).Record(ctx, e); err != nil && failed == nil {
		return fault.Wrap(fault.Unavailable, err, "it was done, but not written to the audit")
	}
	return failed
}

// why is what the audit says of a verb that failed.
func why(err error) string {
	var quiet exitCode
	if errors.As(err, &quiet) {
		return quiet.Error()
	}
	return fault.Message(err)
}
