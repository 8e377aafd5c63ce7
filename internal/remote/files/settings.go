package files

import (
	"path/filepath"
	"time"

	"tieline/internal/fault"
	"tieline/internal/remote"
)

// config is what Settings.Values say.
type config struct {
	outbox, inbox, done, rejected place
	format                        string
	maxBytes                      int
	patience                      time.Duration
	ended                         []string
}

// place is a directory. One below the common directory is made when missing;
// one given by itself is not, because it may be a mount that is away, and files
// written under its mount point would be lost.
type place struct {
	path string
	base string // "" = must exist itself
}

func read(s remote.Settings) (config, []fault.Problem) {
	var problems []fault.Problem
	if len(s.Endpoints) > 0 {
		problems = append(problems, fault.Problem{Path: "remote.endpoints", Message: "files has no endpoints; set remote.settings.directory"})
	}
	if s.Token != "" || s.User != "" || s.Password != "" {
		problems = append(problems, fault.Problem{Path: "remote.token", Message: "files takes no credentials"})
	}
	r := remote.NewReader(s.Values)
	base := readPath(r, "directory")
	c := config{
		outbox: readPlace(r, base, "outbox"), inbox: readPlace(r, base, "inbox"),
		done: readPlace(r, base, "done"), rejected: readPlace(r, base, "rejected"),
		format:   r.OneOf("format", "json", "json", "xml"),
		maxBytes: r.Int("max_bytes", 1<<20, 1<<10, 64<<20),
		patience: r.Duration("patience", 10*time.Second),
		ended:    r.Texts("ended", "resolved", "closed"),
	}
	if c.distinct() < 4 {
		r.Bad("directory", "outbox, inbox, done and rejected must be four directories")
	}
	r.Done()
	return c, append(problems, r.Problems()...)
}

func readPlace(r *remote.Reader, base, name string) place {
	path := readPath(r, name)
	switch {
	case path != "":
		return place{path: filepath.Clean(path)}
	case base == "":
		r.Bad(name, "is required where no directory is set")
		return place{path: name}
	}
	return place{path: filepath.Join(base, name), base: filepath.Clean(base)}
}

// readPath reads a directory. A relative one would be another directory
// wherever a server was started elsewhere.
func readPath(r *remote.Reader, name string) string {
	path := r.Text(name, "")
	if path != "" && !filepath.IsAbs(path) {
		r.Bad(name, "must be an absolute path, like /srv/tieline; %q depends on where a server is started", path)
	}
	return path
}

func (c config) distinct() int {
	paths := map[string]bool{}
	for _, p := range []place{c.outbox, c.inbox, c.done, c.rejected} {
		paths[p.path] = true
	}
	return len(paths)
}

// Inbox is the directory that replies are moved away from.
func Inbox(s remote.Settings) string {
	c, _ := read(s)
	return c.inbox.path
}

// Check returns every problem of the settings. It does not look at the
// directories: those of another server may be elsewhere.
func Check(s remote.Settings) []fault.Problem {
	_, problems := read(s)
	return problems
}
