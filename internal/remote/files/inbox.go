package files

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// batch is how many replies one poll reads at most; the bookmark names each.
const batch = 100

// bookmark names the files whose news it followed. The number makes every
// bookmark differ from those before it.
type bookmark struct {
	number int64
	ids    []string
}

func parseBookmark(text string) (bookmark, error) {
	parts := strings.Fields(text)
	if len(parts) == 0 {
		return bookmark{}, nil
	}
	n, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return bookmark{}, remote.Refuse("the bookmark of the inbox is damaged")
	}
	return bookmark{n, parts[1:]}, nil
}

func (b bookmark) String() string {
	return strings.Join(append([]string{strconv.FormatInt(b.number, 10)}, b.ids...), " ")
}

// News implements remote.Poller. Files that the bookmark names are received and
// moved to done; the others are read. The empty bookmark moves and reads
// nothing: what lies in the inbox is news to whoever asks next.
func (a *Adapter) News(ctx context.Context, mark string) ([]alert.News, string, error) {
	if mark == "" {
		return nil, bookmark{}.String(), nil
	}
	b, err := parseBookmark(mark)
	if err != nil {
		return nil, mark, err
	}
	for _, p := range []place{a.inbox, a.done, a.rejected} {
		if err := p.ready(); err != nil {
			return nil, mark, failed("read the inbox", err)
		}
	}
	waiting, err := a.waiting()
	if err != nil {
		return nil, mark, failed("read the inbox", err)
	}
	a.forget(waiting)
	next := bookmark{number: b.number + 1}
	var news []alert.News
	for _, entry := range waiting {
		if len(news) == batch || ctx.Err() != nil {
			break
		}
		if n, ok := a.take(entry, b.ids); ok {
			news = append(news, n)
			next.ids = append(next.ids, n.ID)
		}
	}
	if len(news) == 0 {
		return nil, mark, nil
	}
	return news, next.String(), nil
}

// waiting lists the inbox's files, oldest first.
func (a *Adapter) waiting() ([]fs.FileInfo, error) {
	entries, err := os.ReadDir(a.inbox.path)
	if err != nil {
		return nil, err
	}
	var list []fs.FileInfo
	for _, e := range entries {
		if e.IsDir() || isTemporary(e.Name()) {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(x, y fs.FileInfo) int {
		return cmp.Or(x.ModTime().Compare(y.ModTime()), strings.Compare(x.Name(), y.Name()))
	})
	return list, nil
}

func isTemporary(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(lower, ".tmp") || strings.HasSuffix(lower, ".part")
}

// take reads one file. It moves a received one to done and a malformed one
// aside; ok tells that the file holds news.
func (a *Adapter) take(file fs.FileInfo, received []string) (_ alert.News, ok bool) {
	name := file.Name()
	if !file.Mode().IsRegular() {
		a.reject(name, "the file is not a regular file")
		return alert.News{}, false
	}
	if file.Size() > int64(a.maxBytes) {
		a.reject(name, fmt.Sprintf("the file is larger than %d bytes", a.maxBytes))
		return alert.News{}, false
	}
	content, changed, err := readBounded(filepath.Join(a.inbox.path, name), a.maxBytes)
	if err != nil {
		a.wait(file, "the file cannot be read: "+reason(err))
		return alert.News{}, false
	}
	id := identify(name, changed, content)
	if slices.Contains(received, id) {
		a.move(name, a.done)
		return alert.News{}, false
	}
	r, err := parse(content)
	if err != nil {
		a.wait(file, err.Error())
		return alert.News{}, false
	}
	return r.news(id), true
}

// identify names a file by its name, when it was written, and its content: a
// reply written anew under a name used before is other news, even if it says
// what an earlier one said. The size needs no naming beside the content.
func identify(name string, changed time.Time, content []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s%d:", len(name), name, changed.UnixNano())
	h.Write(content)
	return "file/" + hex.EncodeToString(h.Sum(nil)[:16])
}

// readBounded reads a file, and when it was written: of the very file that it
// reads, because another may take its name meanwhile. The time is asked first, so
// that a file which is written on is rather news twice than never.
func readBounded(path string, most int) (content []byte, changed time.Time, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, changed, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, changed, err
	}
	content, err = io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(content) > most {
		return nil, changed, &fs.PathError{Op: "read", Path: path, Err: errors.New("it grew over the limit")}
	}
	return content, info.ModTime(), err
}

// wait gives a file that makes no sense yet the time to become complete. That
// it stands still is judged by our own clock: the file's times may be another's.
func (a *Adapter) wait(file fs.FileInfo, why string) {
	a.mu.Lock()
	seen, ok := a.growing[file.Name()]
	if !ok || seen.size != file.Size() || !seen.changed.Equal(file.ModTime()) {
		seen = growth{size: file.Size(), changed: file.ModTime(), since: time.Now()}
		a.growing[file.Name()] = seen
	}
	a.mu.Unlock()
	if time.Since(seen.since) >= a.patience {
		a.reject(file.Name(), why)
	}
}

// forget drops what is remembered of files that are not there any more.
func (a *Adapter) forget(waiting []fs.FileInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for name := range a.growing {
		if !slices.ContainsFunc(waiting, func(f fs.FileInfo) bool { return f.Name() == name }) {
			delete(a.growing, name)
		}
	}
}

// reject moves a file aside, with the reason beside it.
func (a *Adapter) reject(name, why string) {
	a.settings.Logger().Warn("inbox file rejected", slog.String("file", name), slog.String("reason", why))
	if to, ok := a.move(name, a.rejected); ok {
		text := fmt.Sprintf("%s was not taken: %s\n", name, why)
		if err := writeByRename(a.rejected.path, filepath.Base(to)+".reason.txt", []byte(text)); err != nil {
			a.settings.Logger().Warn("reason of a rejected file not written", slog.String("file", name), slog.Any("err", err))
		}
	}
}

// move takes a file out of the inbox, under a name that is free. A file that
// another server moved first is no failure; one that cannot be moved now is
// tried again by the next poll.
func (a *Adapter) move(name string, to place) (path string, ok bool) {
	path = filepath.Join(to.path, name)
	for n := 2; ; n++ {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		path = filepath.Join(to.path, fmt.Sprintf("%s.%d", name, n))
	}
	err := os.Rename(filepath.Join(a.inbox.path, name), path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.settings.Logger().Warn("inbox file not moved", slog.String("file", name), slog.Any("err", err))
	}
	return path, err == nil
}

func (a *Adapter) isEnd(state string) bool { return slices.Contains(a.ended, state) }
