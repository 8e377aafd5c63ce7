package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/remote"
)

// Adapter writes messages to and reads replies from directories.
type Adapter struct {
	config
	settings remote.Settings

	mu      sync.Mutex
	growing map[string]growth // incomplete inbox files, by name
}

var (
	_ remote.Noter  = (*Adapter)(nil)
	_ remote.Poller = (*Adapter)(nil)
)

// New returns the adapter for directories. It does not look at them.
func New(s remote.Settings) (remote.Adapter, error) {
	c, problems := read(s)
	if len(problems) > 0 {
		return nil, fault.InvalidInput("the remote's settings are not valid", problems)
	}
	return &Adapter{config: c, settings: s, growing: map[string]growth{}}, nil
}

// Traits implements remote.Adapter.
func (a *Adapter) Traits() remote.Traits {
	return remote.Traits{Guarantee: remote.Idempotent, TicketLater: true}
}

// Create implements remote.Adapter. While an earlier announcement of the key
// lies in the outbox untaken, the draft follows it as an update.
func (a *Adapter) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	if err := a.outbox.ready(); err != nil {
		return alert.Ticket{}, failed("write a message", err)
	}
	kind := "new"
	announced, err := a.announced(d.Key)
	if err != nil {
		return alert.Ticket{}, failed("read the outbox", err)
	}
	if announced != "" && announced != a.name(d.Key, 'r', d.Revision, "new") {
		kind = "update"
	}
	return a.send(ctx, kind, "", d)
}

// Update implements remote.Adapter. The ticket id may still be unknown.
func (a *Adapter) Update(ctx context.Context, ticket string, d alert.Draft) (alert.Ticket, error) {
	return a.send(ctx, "update", ticket, d)
}

func (a *Adapter) send(ctx context.Context, kind, ticket string, d alert.Draft) (alert.Ticket, error) {
	err := a.write(ctx, a.name(d.Key, 'r', d.Revision, kind), remote.NewMessage(kind, ticket, d))
	if err != nil {
		return alert.Ticket{}, err
	}
	return alert.Ticket{ID: ticket, Key: d.Key, State: d.State, Open: !a.isEnd(d.State)}, nil
}

// Note implements remote.Noter.
func (a *Adapter) Note(ctx context.Context, ticket string, k alert.Key, n alert.Note) error {
	return a.write(ctx, a.name(k, 'n', n.Seq, "note"), remote.NewNote(ticket, k, n))
}

// Probe implements remote.Adapter: it writes and removes a file in the outbox
// and reads the inbox.
func (a *Adapter) Probe(context.Context) error {
	for _, p := range []place{a.outbox, a.inbox} {
		if err := p.ready(); err != nil {
			return failed("reach the directories", err)
		}
	}
	f, err := os.CreateTemp(a.outbox.path, ".probe-*")
	if err != nil {
		return failed("write to the outbox", err)
	}
	_ = f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return failed("write to the outbox", err)
	}
	_, err = os.ReadDir(a.inbox.path)
	return failed("read the inbox", err)
}

// name is the file name of a message.
func (a *Adapter) name(k alert.Key, sort byte, number int64, kind string) string {
	return fmt.Sprintf("%s.%c%010d.%s.%s", fileName(string(k)), sort, number, kind, a.format)
}

// announced returns the name of the outbox's first message of kind "new" for
// the key, "" when there is none.
func (a *Adapter) announced(k alert.Key) (string, error) {
	// The name has no character that is special in a pattern; the directory may.
	names, err := fs.Glob(os.DirFS(a.outbox.path), fileName(string(k))+".r*.new."+a.format)
	if err != nil || len(names) == 0 {
		return "", err
	}
	return names[0], nil
}

// fileName makes a key a name that every file system takes and tells apart,
// also one that does not mind upper and lower case.
func fileName(key string) string {
	const most = 150
	var b strings.Builder
	for _, c := range []byte(key) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	if b.Len() <= most {
		return b.String()
	}
	sum := sha256.Sum256([]byte(key))
	return b.String()[:most-65] + "_" + hex.EncodeToString(sum[:])
}

// write puts a message into the outbox: complete, on disk, by renaming.
func (a *Adapter) write(ctx context.Context, name string, m remote.Message) error {
	remote.Visited(ctx, a.outbox.path)
	text, err := encode(a.format, m)
	if err != nil {
		return remote.Refuse("the message cannot be written as %s", a.format)
	}
	if err := a.outbox.ready(); err != nil {
		return failed("write a message", err)
	}
	if ctx.Err() != nil {
		return &remote.Failure{Class: remote.Retry, Msg: "write a message: the call was ended", Err: ctx.Err()}
	}
	return failed("write a message", writeByRename(a.outbox.path, name, text))
}

func encode(format string, m remote.Message) ([]byte, error) {
	var b bytes.Buffer
	if format == "xml" {
		b.WriteString(xml.Header)
		e := xml.NewEncoder(&b)
		e.Indent("", "  ")
		if err := e.Encode(m); err != nil {
			return nil, err
		}
		b.WriteByte('\n')
		return b.Bytes(), nil
	}
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	err := e.Encode(m)
	return b.Bytes(), err
}

func writeByRename(dir, name string, text []byte) (err error) {
	f, err := os.CreateTemp(dir, ".writing-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name()) // gone already when the renaming worked
		}
	}()
	if _, err = f.Write(text); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDirectory(dir)
}

// ready makes sure that the directory is there.
func (p place) ready() error {
	info, err := os.Stat(p.path)
	if errors.Is(err, fs.ErrNotExist) && p.base != "" {
		if _, err := os.Stat(p.base); err != nil {
			return err
		}
		return os.Mkdir(p.path, 0o755)
	}
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "open", Path: p.path, Err: errors.New("not a directory")}
	}
	return err
}

// failed classifies an error of the file system. Nothing was carried out, or
// the same may be written again, so it is never of unknown outcome. A directory
// that cannot be reached from this host may be from another.
func failed(what string, err error) error {
	if err == nil {
		return nil
	}
	f := &remote.Failure{Class: remote.Retry, Shared: true, Msg: what + ": " + reason(err), Err: err}
	f.Connect = errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || isTimeout(err)
	return f
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// reason names the path and the cause. Paths come from the configuration.
func reason(err error) string {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return remote.Clean(p.Path + ": " + p.Err.Error())
	case errors.As(err, &l):
		return remote.Clean(l.New + ": " + l.Err.Error())
	}
	return remote.Clean(err.Error())
}

// growth is how an incomplete inbox file was last seen.
type growth struct {
	size    int64
	changed time.Time // its modification time, compared only with itself
	since   time.Time // by our clock
}
