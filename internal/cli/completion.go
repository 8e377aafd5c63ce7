package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tieline/internal/alert"
	"tieline/internal/config"
	"tieline/internal/connector"
	"tieline/internal/store"
)

const (
	// completionTime bounds a completion: somebody waits with a finger on the key.
	completionTime = 2 * time.Second
	// completedAlerts is how many alerts are offered, the newest.
	completedAlerts = 30
)

// lister lists what an argument or a flag may be, as "value" or "value\twhat it is".
type lister func(context.Context, *store.DB) ([]string, error)

// names completes an argument from the database. A database that cannot be
// opened, or not soon, completes nothing.
func (c *command) names(position int, list lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) != position {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.fitting(cmd, list, prefix), cobra.ShellCompDirectiveNoFileComp
	}
}

// anyNames completes every argument, which may be several of a kind.
func (c *command) anyNames(list lister) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		left := slices.DeleteFunc(c.fitting(cmd, list, prefix), func(found string) bool {
			value, _, _ := strings.Cut(found, "\t")
			return slices.Contains(args, value)
		})
		return left, cobra.ShellCompDirectiveNoFileComp
	}
}

// flagNames completes a flag from the database, wherever on the line it stands.
func (c *command) flagNames(cmd *cobra.Command, flag string, list lister) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return c.fitting(cmd, list, prefix), cobra.ShellCompDirectiveNoFileComp
	})
}

// fitting lists what begins with the prefix.
func (c *command) fitting(cmd *cobra.Command, list lister, prefix string) []string {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	cmd.SetContext(ctx)
	db, err := c.open(cmd)
	if err != nil {
		return nil
	}
	defer db.Close()
	all, err := list(ctx, db)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(all, func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// choices completes a flag that takes a few words.
func choices(cmd *cobra.Command, flag string, words ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeSetting completes the flag of a server's setting where it takes a few
// words, or a path.
func completeSetting(cmd *cobra.Command, s config.Setting) {
	switch s.Key {
	case "log.level":
		choices(cmd, s.Flag, "debug", "info", "warn", "error")
	case "log.format":
		choices(cmd, s.Flag, "text", "json")
	case "database.url":
		_ = cmd.RegisterFlagCompletionFunc(s.Flag, cobra.FixedCompletions(
			[]string{"sqlite:", "postgres://", "mysql://", "mariadb://", "sqlserver://"}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	case "data_dir":
		_ = cmd.MarkFlagDirname(s.Flag)
		_ = cmd.MarkPersistentFlagDirname(s.Flag)
	}
}

// connectorNames, serverNames, sourceNames and alertIDs are what there is.
func connectorNames(ctx context.Context, db *store.DB) ([]string, error) {
	group, err := db.ReadGroup(ctx)
	return slices.Sorted(maps.Keys(group.Settings)), err
}

func serverNames(ctx context.Context, db *store.DB) ([]string, error) {
	group, err := db.ReadGroup(ctx)
	var names []string
	for _, s := range group.Servers {
		names = append(names, s.Name)
	}
	return names, err
}

// sourceNames are those of the connectors' current documents.
func sourceNames(ctx context.Context, db *store.DB) ([]string, error) {
	return sourcesWhere(ctx, db, func(connector.Source) bool { return true })
}

// genericSources are those that "send" can send to.
func genericSources(ctx context.Context, db *store.DB) ([]string, error) {
	return sourcesWhere(ctx, db, func(s connector.Source) bool { return s.Kind == "generic" })
}

func sourcesWhere(ctx context.Context, db *store.DB, want func(connector.Source) bool) ([]string, error) {
	docs, _, err := db.Documents(ctx)
	var names []string
	for _, d := range docs {
		doc, err := connector.Parse([]byte(d.Text))
		if err != nil {
			continue // a document of another version of the program
		}
		for _, s := range doc.Sources {
			if want(s) {
				names = append(names, s.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// alertIDs are those of the newest alerts of a status ("" = any), with their summaries.
func alertIDs(status alert.Status) lister {
	return func(ctx context.Context, db *store.DB) ([]string, error) {
		rows, err := db.Alerts(ctx, store.AlertQuery{Status: status, Limit: completedAlerts})
		var ids []string
		for _, r := range rows {
			ids = append(ids, r.ID.String()+"\t"+clip(orDash(r.Summary), 60))
		}
		return ids, err
	}
}
