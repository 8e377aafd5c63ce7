package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"tieline/internal/app"
	"tieline/internal/config"
	"tieline/internal/fault"
	"tieline/internal/store"
)

// Streams are what a command reads and writes.
type Streams struct {
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Env     func(string) (string, bool)
	Environ []string // every variable as NAME=value, to find misspelt ones; may be nil
}

// System returns the process's own streams and environment.
func System() Streams {
	return Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv, Environ: os.Environ()}
}

// Run executes one command line and returns its exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	c := &command{Streams: s}
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var quiet exitCode
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	var known *fault.Error
	if !errors.As(err, &known) && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return 130
	}
	c.complain(err)
	return fault.KindOf(err).ExitCode()
}

// exitCode ends the command with a code when all was said already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// command is what every verb shares: the streams and the global flags.
type command struct {
	Streams
	configFile string
	output     string
}

func newRoot(c *command) *cobra.Command {
	root := parent(&cobra.Command{
		Use:   "tieline",
		Short: "A highly available alert connector",
		Long: `Tieline carries alerts from monitoring systems to ticketing and event systems,
from several servers of which exactly one is active for each connector.

  tieline demo     see it fail over, in one terminal, with nothing set up
  tieline serve    run a server; without any settings it uses an embedded database
  tieline status   who is active, how far behind, what is parked

Settings come from flags, the environment (TIELINE_DATABASE_URL, ...) and a file
(--config or TIELINE_CONFIG), in this order. The verbs open the database directly:
give them the settings your servers have. Changes are noted with your name (TIELINE_WHO,
else user@host).

Exit codes: 0 done, 1 internal error, 2 input not valid, 3 no such thing, 4 exists
already or changed meanwhile, 5 not permitted, 6 database or server away (try again),
7 the set-up does not permit it, 8 checked, and something needs attention (db check).`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       app.Version(),
	})
	root.SetFlagErrorFunc(usageError)
	root.PersistentFlags().StringVar(&c.configFile, "config", "", "settings file (YAML); default: TIELINE_CONFIG")
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "output form: table, json or yaml")
	choices(root, "output", "table", "json", "yaml")
	// Few commands take files, and those say so: a folder's content is no connector.
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, s := range config.Settings() {
		if global(s.Key) {
			root.PersistentFlags().String(s.Flag, "", s.Usage)
			completeSetting(root, s)
		}
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return c.checkOutput() }
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run:"}, &cobra.Group{ID: "see", Title: "See and send:"},
		&cobra.Group{ID: "change", Title: "Administer:"},
	)
	addAll(root, "run", newServe(c), newConsole(c), newDemo(c))
	addAll(root, "see", newStatus(c), newAlert(c), newSend(c))
	addAll(root, "change", newConnector(c), newHA(c), newReconcile(c), newDB(c), newUser(c), newToken(c), newConfig(c))
	root.AddCommand(newVersion(c))
	refuseUnknownTopics(root)
	return root
}

// refuseUnknownTopics makes "help" and "completion", which cobra brings along,
// refuse a word they do not know as every other command does.
func refuseUnknownTopics(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			parent(cmd)
		case "help":
			cmd.Run, cmd.Example = nil, "  tieline help alert show"
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				topic, left, err := cmd.Root().Find(args)
				if err != nil || len(left) > 0 {
					return unknownCommand(cmd.Root(), strings.Join(args, " "))
				}
				return topic.Help()
			}
		}
	}
}

// global reports whether a setting is a flag of every command: it says which
// management group is meant.
func global(setting string) bool {
	return setting == "database.url" || setting == "data_dir" || setting == "management_group"
}

func addAll(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, cmd := range commands {
		cmd.GroupID = group
		root.AddCommand(cmd)
	}
}

// parent makes a command that only holds others. Cobra would answer an unknown
// word under it with help and success.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
	cmd.AddCommand(children...)
	return cmd
}

func unknownCommand(cmd *cobra.Command, word string) error {
	msg := fmt.Sprintf("there is no command %q", strings.TrimSpace(cmd.CommandPath()+" "+word))
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		msg += fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
	}
	return usageError(cmd, errors.New(msg))
}

func usageError(cmd *cobra.Command, err error) error {
	return fault.New(fault.Invalid, err.Error()).WithNext(fmt.Sprintf("See %q.", cmd.CommandPath()+" --help"))
}

// args wraps cobra's check of the argument count so that it is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if err := check(cmd, given); err != nil {
			return usageError(cmd, err)
		}
		return nil
	}
}

// config loads the settings that the environment, the file and the flags give.
func (c *command) config(cmd *cobra.Command) (config.Config, error) {
	flags := map[string]string{}
	for _, s := range config.Settings() {
		if f := cmd.Flags().Lookup(s.Flag); s.Flag != "" && f != nil && f.Changed {
			flags[s.Key] = f.Value.String()
		}
	}
	return config.Load(config.Given{File: c.configFile, Env: c.Env, Flags: flags})
}

// open opens the management group's database. It never changes the schema, and
// does not create an embedded database that is not there.
func (c *command) open(cmd *cobra.Command) (*store.DB, error) {
	cfg, err := c.config(cmd)
	if err != nil {
		return nil, err
	}
	if cfg.Embedded() {
		if err := fileExists(cfg.DatabaseFile()); err != nil {
			for _, v := range config.Strangers(c.Environ) { // the way to another database may have a letter wrong
				fmt.Fprintf(c.Err, "%s is none of Tieline's settings; the nearest is %s\n", v.Name, v.Nearest)
			}
			return nil, err
		}
	}
	url, err := cfg.DatabaseURL()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "the database's password cannot be read: "+err.Error())
	}
	db, err := store.Open(cmd.Context(), url.Reveal(), store.Options{MaxConns: 2, Empty: verbOf(cmd) == "db check"})
	if err != nil || db.Empty() {
		return db, err
	}
	if err := c.checkGroup(cmd, db, cfg); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkGroup refuses the database of another management group than the one that
// was named (where none was, the database says which it is), and changes of one
// whose group was moved elsewhere, which nobody would ever read. Whoever only reads
// is told that it is what the group left behind.
func (c *command) checkGroup(cmd *cobra.Command, db *store.DB, cfg config.Config) error {
	group, err := db.Group(cmd.Context())
	if err == nil {
		err = namedGroup(group, cfg)
	}
	if err != nil {
		return err
	}
	moved := group.Moved()
	if moved != nil && slices.Contains(reading, verbOf(cmd)) {
		fmt.Fprintf(c.Err, "Attention: %s\n", strings.ReplaceAll(fault.Message(moved), "\n", ": "))
		return nil
	}
	return moved
}

// verbOf names a command as the audit does: its words without the program's.
func verbOf(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "tieline ") }

func namedGroup(group store.GroupInfo, cfg config.Config) error {
	if !cfg.GroupNamed {
		return nil
	}
	return group.Is(cfg.ManagementGroup, "this command")
}

// fileExists refuses an embedded database that is not there: it would be made.
func fileExists(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return nil // what else is wrong with it shows when it is opened
	}
	return fault.New(fault.NotFound, "there is no database "+path).
		WithNext(`Give --data-dir or --database as your servers have it, or start one with "tieline serve".`)
}

// withDB runs a verb on the open database.
func (c *command) withDB(run func(cmd *cobra.Command, db *store.DB, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		db, err := c.open(cmd)
		if err != nil {
			return err
		}
		defer db.Close()
		return c.audited(cmd, db, args, run)
	}
}

// who names the person for the history: TIELINE_WHO, else the system's user.
func (c *command) who() string {
	if who, ok := c.Env("TIELINE_WHO"); ok && who != "" {
		return who
	}
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}
