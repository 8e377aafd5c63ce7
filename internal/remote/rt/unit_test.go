package rt

import (
	"slices"
	"strings"
	"testing"

	"tieline/internal/remote"
)

func TestQuote(t *testing.T) {
	if got := quote(`it's a \ "x"`); got != `'it\'s a \\ "x"'` {
		t.Errorf("quoted: %s", got)
	}
}

func TestBookmark(t *testing.T) {
	b := bookmark{last: 1000, seen: []int64{801, 990, 1000}}
	again, err := parseBookmark(b.String())
	if err != nil || again.String() != b.String() || b.String() != "1000:801,990,1000" {
		t.Errorf("%q became %q, %v", b.String(), again.String(), err)
	}
	next := b.with([]transaction{{id: 995}, {id: 1100}})
	if next.String() != "1100:990,995,1000,1100" {
		t.Errorf("the next is %q", next.String())
	}
	if same := b.with(nil); same.String() != b.String() {
		t.Errorf("nothing read gives %q", same.String())
	}
	for _, bad := range []string{"x", "-1", "1:x", "1;2"} {
		if _, err := parseBookmark(bad); err == nil {
			t.Errorf("bookmark %q was taken", bad)
		}
	}
}

// However much there is to read, a poll works on a part that it can finish.
func TestNewsIsReadInParts(t *testing.T) {
	var list []transaction
	for i := range int64(120) {
		kind := "Status"
		if i >= 60 {
			kind = "Comment"
		}
		list = append(list, transaction{id: i, kind: kind})
	}
	var sizes []int
	for len(list) > 0 && len(sizes) < 100 {
		part := firstOf(list)
		sizes = append(sizes, len(part))
		list = list[len(part):]
	}
	if want := []int{50, 15, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}; !slices.Equal(sizes, want) {
		t.Errorf("parts of %v, want %v", sizes, want)
	}
}

func TestPlain(t *testing.T) {
	for html, want := range map[string]string{
		"<p>I'm on it &amp; so is\n<b>kim</b></p><p>soon<br/>ish</p>": "I'm on it & so is kim\nsoon\nish",
		"<script>x": "x", "&lt;b&gt;": "<b>", "": "",
	} {
		if got := plain(html); got != want {
			t.Errorf("%q became %q, want %q", html, got, want)
		}
	}
}

func TestSubject(t *testing.T) {
	if got := subject("a\n b\tc\x00  d "); got != "a b c d" {
		t.Errorf("%q", got)
	}
	if got := subject(strings.Repeat("ä", 300)); len(got) > maxSubject || len(got) < maxSubject-4 || !strings.HasSuffix(got, "ä…") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

func TestCheck(t *testing.T) {
	problems := Check(remote.Settings{
		Endpoints: []string{"ftp://rt", "https://u:p@rt", ""}, Password: "pasted-password",
		Values: map[string]any{"key_field": "a}b", "settle": "x", "quue": "Alerts"},
	})
	var paths []string
	for _, p := range problems {
		paths = append(paths, p.Path)
		if strings.Contains(p.Message, "pasted") {
			t.Errorf("a secret pasted in the wrong place is repeated: %v", p)
		}
	}
	for _, want := range []string{
		"remote.endpoints[0]", "remote.endpoints[1]", "remote.endpoints[2]", "remote.password", "remote.user",
		"remote.settings.queue", "remote.settings.key_field", "remote.settings.settle", "remote.settings.quue",
	} {
		if !slices.Contains(paths, want) {
			t.Errorf("no problem at %s; found %v", want, problems)
		}
	}
	good := remote.Settings{Endpoints: []string{"https://rt"}, Token: "env:X", Values: map[string]any{"queue": "Alerts"}}
	if problems := Check(good); len(problems) > 0 {
		t.Errorf("good settings have problems: %v", problems)
	}
	if e := withREST([]string{"https://rt/", "https://rt/sub/REST/2.0/"}); !slices.Equal(e, []string{"https://rt/REST/2.0", "https://rt/sub/REST/2.0"}) {
		t.Errorf("endpoints are %v", e)
	}
}
