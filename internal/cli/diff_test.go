package cli

import "testing"

func TestDiffLines(t *testing.T) {
	for _, c := range []struct{ name, old, next, want string }{
		{"equal", "a\nb\n", "a\nb\n", ""},
		{"changed in the middle", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", " 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n...\n"},
		{"from nothing", "", "a\nb\n", "+a\n+b\n"},
		{"to nothing", "a\n", "", "-a\n"},
		{"no newline at the end", "a", "a\nb", " a\n+b\n"},
	} {
		if got := diffLines(c.old, c.next); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}
