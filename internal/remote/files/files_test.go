package files

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
	"tieline/internal/remotetest"
)

// rig is an adapter with its directories.
type rig struct {
	*Adapter
	dir string
	t   *testing.T
}

func newRig(t *testing.T, values map[string]any) *rig {
	t.Helper()
	dir := t.TempDir()
	all := map[string]any{"directory": dir}
	for k, v := range values {
		all[k] = v
	}
	a, err := New(remote.Settings{Values: all})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{a.(*Adapter), dir, t}
}

func (r *rig) put(name, content string) {
	r.t.Helper()
	dir := filepath.Join(r.dir, "inbox")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) names(dir string) []string {
	r.t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.dir, dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (r *rig) has(dir string, want ...string) {
	r.t.Helper()
	if got := r.names(dir); !slices.Equal(got, want) && len(got)+len(want) > 0 {
		r.t.Errorf("%s has %q, want %q", dir, got, want)
	}
}

func (r *rig) news(mark string) ([]alert.News, string) {
	r.t.Helper()
	news, next, err := r.News(context.Background(), mark)
	if err != nil {
		r.t.Fatal(err)
	}
	return news, next
}

func TestConformance(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		t.Run(format, func(t *testing.T) {
			remotetest.Run(t, remotetest.Harness{
				Working: func(t *testing.T) remote.Adapter {
					return newRig(t, map[string]any{"format": format}).Adapter
				},
				Open: "open", Closed: "resolved",
				Fields: map[string]string{"team": "storage"},
			})
		})
	}
}

func TestWritingTwiceIsTheSame(t *testing.T) {
	r := newRig(t, nil)
	d := remotetest.Draft("tl-12345678-key", 3, nil)
	for range 2 {
		if _, err := r.Create(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Update(t.Context(), "INC1", d); err != nil {
			t.Fatal(err)
		}
		if err := r.Note(t.Context(), "INC1", d.Key, alert.Note{Seq: 1, Text: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	r.has("outbox", "tl-12345678-key.n0000000001.note.json",
		"tl-12345678-key.r0000000003.new.json", "tl-12345678-key.r0000000003.update.json")
}

// A create of unknown outcome is made again for a newer revision: no second
// announcement may lie in the outbox.
func TestCreateAgainFollowsTheFirst(t *testing.T) {
	r := newRig(t, nil)
	for revision := int64(1); revision <= 2; revision++ {
		if _, err := r.Create(t.Context(), remotetest.Draft("tl-12345678-key", revision, nil)); err != nil {
			t.Fatal(err)
		}
	}
	r.has("outbox", "tl-12345678-key.r0000000001.new.json", "tl-12345678-key.r0000000002.update.json")
}

func TestMessageForms(t *testing.T) {
	d := remotetest.Draft("tl-12345678-key", 2, map[string]string{"team": "storage & <network>"})
	d.State, d.Severity = "open", "P1"
	read := func(format string) []byte {
		r := newRig(t, map[string]any{"format": format})
		if _, err := r.Update(t.Context(), "INC1", d); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(filepath.Join(r.dir, "outbox", r.names("outbox")[0]))
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	var m remote.Message
	if err := json.Unmarshal(read("json"), &m); err != nil {
		t.Fatal(err)
	}
	if m.Kind != "update" || m.Key != "tl-12345678-key" || m.Revision != 2 || m.Ticket != "INC1" ||
		m.Fields["team"] != "storage & <network>" || m.Alert.Labels["instance"] != "db1" {
		t.Errorf("the message is %+v", m)
	}
	var x struct {
		Kind     string `xml:"kind,attr"`
		Key      string `xml:"key"`
		Revision int64  `xml:"revision"`
		Fields   []struct {
			Name string `xml:"name,attr"`
			Text string `xml:",chardata"`
		} `xml:"fields>item"`
		Labels []struct {
			Name string `xml:"name,attr"`
		} `xml:"alert>labels>item"`
	}
	if err := xml.Unmarshal(read("xml"), &x); err != nil {
		t.Fatal(err)
	}
	if x.Kind != "update" || x.Key != "tl-12345678-key" || x.Revision != 2 || len(x.Fields) != 1 ||
		x.Fields[0].Name != "team" || x.Fields[0].Text != "storage & <network>" || len(x.Labels) != 1 {
		t.Errorf("the message is %+v", x)
	}
}

// News stays readable until the bookmark that followed it is given back, on
// whatever server: only then are its files moved.
func TestFilesMoveWhenTheirNewsWasReceived(t *testing.T) {
	r := newRig(t, nil)
	_, mark := r.news("")
	r.put("a.json", `{"key": "tl-x", "ticket": "INC1"}`)
	r.put("b.xml", `<?xml version="1.0"?><reply><key>tl-x</key><state>resolved</state><text>done &amp; dusted</text></reply>`)
	first, next := r.news(mark)
	again, nextAgain := r.news(mark)
	if len(first) != 2 || !slices.Equal(first, again) || next != nextAgain {
		t.Fatalf("read again, the news is %+v then %+v", first, again)
	}
	slices.SortFunc(first, func(x, y alert.News) int { return strings.Compare(x.State, y.State) })
	if first[0].Assign != "INC1" || first[0].Key != "tl-x" {
		t.Errorf("the acknowledgement is %+v", first[0])
	}
	if first[1].State != "resolved" || first[1].Text != "done & dusted" || first[1].Assign != "" {
		t.Errorf("the update is %+v", first[1])
	}
	r.has("inbox", "a.json", "b.xml")
	r.put("c.json", `{"ticket": "INC1", "state": "open"}`)
	third, last := r.news(next)
	if len(third) != 1 || third[0].Ticket != "INC1" || last == next {
		t.Errorf("after the bookmark: %+v, %q then %q", third, next, last)
	}
	r.has("inbox", "c.json")
	r.has("done", "a.json", "b.xml")
	if none, same := r.news(last); len(none) != 0 || same != last {
		t.Errorf("with nothing new: %+v, %q then %q", none, last, same)
	}
	r.has("inbox")
}

// A ticket's file that is written anew is news, also when it says again what an
// earlier one said; the same file, read again, is not.
func TestSameNameWrittenAnewIsOtherNews(t *testing.T) {
	r := newRig(t, nil)
	write := func(state string, second int64) {
		t.Helper()
		r.put("TK2.json", `{"ticket": "TK2", "state": "`+state+`"}`)
		when := time.Unix(second, 0)
		if err := os.Chtimes(filepath.Join(r.dir, "inbox", "TK2.json"), when, when); err != nil {
			t.Fatal(err)
		}
	}
	ids := map[string]bool{}
	mark := "0"
	for i, state := range []string{"closed", "open", "closed"} {
		write(state, int64(i))
		news, next := r.news(mark)
		again, _ := r.news(mark)
		if len(news) != 1 || news[0].State != state || !slices.Equal(news, again) || ids[news[0].ID] {
			t.Fatalf("%s at %d gives %+v, then %+v", state, i, news, again)
		}
		ids[news[0].ID] = true
		mark = next
		if i == 1 {
			continue // the next one takes its place before the poll that moves it
		}
		r.news(mark)
		r.has("inbox")
	}
	r.has("done", "TK2.json", "TK2.json.2")
	write("closed", 2)
	if news, _ := r.news(mark); len(news) != 0 {
		t.Errorf("the file just taken came again: %+v", news)
	}
	r.has("done", "TK2.json", "TK2.json.2", "TK2.json.3")
}

func TestMalformedFilesMoveAsideWithTheReason(t *testing.T) {
	for name, c := range map[string]struct{ content, reason string }{
		"empty.json":    {"", "empty"},
		"broken.json":   {`{"key": "tl-x", "ticket`, "not a reply in JSON"},
		"two.json":      {`{"ticket": "1", "state": "a"}{"ticket": "2", "state": "b"}`, "one file holds one reply"},
		"list.json":     {`[{"ticket": "1"}]`, "not a reply in JSON"},
		"unknown.json":  {`{"tiket": "1", "state": "open"}`, "tiket"},
		"nothing.json":  {`{"ticket": "1"}`, "nothing is told"},
		"nobody.json":   {`{"state": "open"}`, "neither key nor ticket"},
		"latin1.json":   {"{\"ticket\": \"1\", \"text\": \"\xe4\"}", "UTF-8"},
		"long.json":     {`{"ticket": "` + strings.Repeat("x", 300) + `", "state": "a"}`, "longer than"},
		"nul.json":      {`{"ticket": "1", "text": "\u0000"}`, "NUL"},
		"broken.xml":    {"<reply><key>tl-x</key>", "not a reply in XML"},
		"other.xml":     {"<message><key>tl-x</key></message>", "not a reply in XML"},
		"unknown.xml":   {"<reply><key>k</key><stat>open</stat></reply>", "stat"},
		"attribute.xml": {`<reply key="k"><state>open</state></reply>`, "key"},
		"two.xml":       {"<reply><key>k</key><state>a</state></reply><reply/>", "one file holds one reply"},
		"big.json":      {`{"ticket": "1", "text": "` + strings.Repeat("x", 3000) + `"}`, "larger than"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, map[string]any{"max_bytes": 2048, "patience": "0s"})
			r.put(name, c.content)
			r.put("good.json", `{"ticket": "1", "state": "open"}`)
			news, _ := r.news("0")
			if len(news) != 1 {
				t.Errorf("the good file beside it gave %+v", news)
			}
			r.has("inbox", "good.json")
			r.has("rejected", name, name+".reason.txt")
			why, err := os.ReadFile(filepath.Join(r.dir, "rejected", name+".reason.txt"))
			if err != nil || !strings.Contains(string(why), c.reason) {
				t.Errorf("the reason is %q, want %q in it (%v)", why, c.reason, err)
			}
		})
	}
}

func TestAFileBeingWrittenIsGivenTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]any{"patience": "10s"})
		r.put("a.json", `{"ticket": "1",`)
		r.put("b.json", `{"ticket": "2",`)
		for _, name := range []string{".hidden.json", "c.json.tmp", "d.PART"} {
			r.put(name, "{")
		}
		for range 3 {
			r.news("0")
			time.Sleep(4 * time.Second)
			r.put("b.json", strings.Repeat(" ", int(time.Now().Unix()%1000)+1)+`{"ticket": "2",`) // still growing
		}
		r.news("0")
		r.has("rejected", "a.json", "a.json.reason.txt")
		r.put("b.json", `{"ticket": "2", "state": "open"}`)
		if news, _ := r.news("0"); len(news) != 1 || news[0].Ticket != "2" {
			t.Errorf("the completed file gave %+v", news)
		}
		r.has("inbox", ".hidden.json", "b.json", "c.json.tmp", "d.PART")
	})
}

func TestOnlyRegularFilesAreRead(t *testing.T) {
	r := newRig(t, nil)
	r.put("real.json", `{"ticket": "1", "state": "open"}`)
	if err := os.Symlink("/etc/passwd", filepath.Join(r.dir, "inbox", "link.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "inbox", "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if news, _ := r.news("0"); len(news) != 1 {
		t.Errorf("news is %+v", news)
	}
	r.has("inbox", "directory", "real.json")
	r.has("rejected", "link.json", "link.json.reason.txt")
}

func TestAMissingDirectoryIsAnotherHostsChance(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "unmounted")
	a, err := New(remote.Settings{Values: map[string]any{"directory": dir}})
	if err != nil {
		t.Fatal(err)
	}
	_, createErr := a.Create(t.Context(), remotetest.Draft("tl-x", 1, nil))
	for name, err := range map[string]error{"create": createErr, "probe": a.Probe(t.Context())} {
		f := remote.AsFailure(err)
		if f.Class != remote.Retry || !f.Connect || !f.Shared || !strings.Contains(f.Msg, dir) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Error("the missing directory was made, though it may be a mount that is away")
	}
}

func TestFileNamesAreSafe(t *testing.T) {
	names := map[string]string{}
	for _, key := range []string{"tl-1", "TL-1", "../../etc/passwd", "a/b", `a\b`, "a*b", "con", "a b", "ä", strings.Repeat("x", 300), strings.Repeat("x", 301)} {
		name := fileName(key)
		if strings.ContainsAny(name, `/\*?:"<>| .`) || len(name) > 150 || name != strings.ToLower(name) {
			t.Errorf("key %q gives the name %q", key, name)
		}
		if other, ok := names[name]; ok {
			t.Errorf("keys %q and %q give one name", key, other)
		}
		names[name] = key
	}
}

func TestCheck(t *testing.T) {
	problems := Check(remote.Settings{
		Endpoints: []string{"http://x"}, User: "u",
		Values: map[string]any{"outbox": "/a", "inbox": "/a", "format": "csv", "max_bytes": 1, "patience": "soon", "outbocks": 1},
	})
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
	}
	for _, want := range []string{
		"remote.endpoints", "remote.token", "remote.settings.done", "remote.settings.rejected", "remote.settings.format",
		"remote.settings.max_bytes", "remote.settings.patience", "remote.settings.outbocks", "remote.settings.directory",
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("no problem at %s; found %v", want, problems)
		}
	}
	for key, value := range map[string]any{"directory": 7, "outbox": "out", "inbox": "./in", "done": "../done", "rejected": true} {
		values := map[string]any{"directory": "/x"}
		values[key] = value
		problems := Check(remote.Settings{Values: values})
		if len(problems) != 1 || problems[0].Path != "remote.settings."+key || !strings.Contains(problems[0].Message, "absolute") {
			t.Errorf("%s: %v gives %v", key, value, problems)
		}
	}
	if problems := Check(remote.Settings{Values: map[string]any{"directory": "/x"}}); len(problems) > 0 {
		t.Errorf("good settings have problems: %v", problems)
	}
}
