package cli

import (
	"fmt"
	"strings"
)

// diffLines compares two texts line by line and returns the lines that differ
// with three around them, as "-old", "+new" and " same"; empty when equal.
func diffLines(old, next string) string {
	a, b := lines(old), lines(next)
	type step struct {
		mark byte
		text string
	}
	var steps []step
	common := longest(a, b)
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			steps = append(steps, step{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			steps = append(steps, step{'-', a[i]})
			i++
		default:
			steps = append(steps, step{'+', b[j]})
			j++
		}
	}
	near := make([]bool, len(steps))
	for n, s := range steps {
		if s.mark != ' ' {
			for k := max(0, n-3); k < min(len(steps), n+4); k++ {
				near[k] = true
			}
		}
	}
	var out strings.Builder
	for n, s := range steps {
		switch {
		case near[n]:
			fmt.Fprintf(&out, "%c%s\n", s.mark, s.text)
		case n > 0 && near[n-1]:
			out.WriteString("...\n")
		}
	}
	return out.String()
}

func lines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// longest is the table of longest common subsequences of the tails a[i:], b[j:].
func longest(a, b []string) [][]int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
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
