package edit

import (
	"fmt"
	"strings"
)

// Line is one line of a comparison.
type Line struct {
	Mark byte // ' ' in both, '-' in the old only, '+' in the new only, '.' lines in both were left out here
	Text string
	Old  int // number in the old text, from 1; 0 = not in it
	New  int // number in the new text, from 1; 0 = not in it
}

// around is how many equal lines are shown beside one that differs.
const around = 3

// Lines compares two texts line by line and returns the lines that differ with
// three around them; none when the texts are equal.
func Lines(old, next string) []Line {
	steps := compare(splitLines(old), splitLines(next))
	near := make([]bool, len(steps))
	for n, s := range steps {
		if s.Mark != ' ' {
			for k := max(0, n-around); k < min(len(steps), n+around+1); k++ {
				near[k] = true
			}
		}
	}
	var out []Line
	for n, s := range steps {
		switch {
		case near[n]:
			out = append(out, s)
		case n > 0 && near[n-1]:
			out = append(out, Line{Mark: '.'})
		}
	}
	return out
}

// Diff writes Lines as text: "-old", "+new", " same" and "..." where lines were
// left out; empty when the texts are equal.
func Diff(old, next string) string {
	var b strings.Builder
	for _, l := range Lines(old, next) {
		if l.Mark == '.' {
			b.WriteString("...\n")
			continue
		}
		fmt.Fprintf(&b, "%c%s\n", l.Mark, l.Text)
	}
	return b.String()
}

// maxTable bounds the work of one comparison, in pairs of lines. Beyond it the
// differing middle is shown as taken out and put in.
const maxTable = 4 << 20

func compare(a, b []string) []Line {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	w := walker{}
	w.both(a[:head])
	w.middle(a[head:len(a)-tail], b[head:len(b)-tail])
	w.both(a[len(a)-tail:])
	return w.lines
}

// walker numbers the lines as it goes through both texts.
type walker struct {
	lines    []Line
	old, new int
}

func (w *walker) step(mark byte, text string) {
	l := Line{Mark: mark, Text: text}
	if mark != '+' {
		w.old++
		l.Old = w.old
	}
	if mark != '-' {
		w.new++
		l.New = w.new
	}
	w.lines = append(w.lines, l)
}

func (w *walker) both(lines []string) {
	for _, line := range lines {
		w.step(' ', line)
	}
}

func (w *walker) middle(a, b []string) {
	var common [][]int32
	if len(a)*len(b) <= maxTable {
		common = longest(a, b)
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case common != nil && i < len(a) && j < len(b) && a[i] == b[j]:
			w.step(' ', a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && (common == nil || common[i+1][j] >= common[i][j+1]):
			w.step('-', a[i])
			i++
		default:
			w.step('+', b[j])
			j++
		}
	}
}

// longest is the table of longest common subsequences of the tails a[i:], b[j:].
func longest(a, b []string) [][]int32 {
	table := make([][]int32, len(a)+1)
	for i := range table {
		table[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				table[i][j] = table[i+1][j+1] + 1
			} else {
				table[i][j] = max(table[i+1][j], table[i][j+1])
			}
		}
	}
	return table
}
