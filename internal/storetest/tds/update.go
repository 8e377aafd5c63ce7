package tds

import "strings"

// update makes PostgreSQL's of an UPDATE: the table stands in no FROM of its own,
// and what is answered stands at the end. with is what stands before it.
func update(with, text, table string) string {
	head, condition := cut(text, "WHERE")
	head, source := cut(head, "FROM")
	head, output := cut(head, "OUTPUT")
	source, on := others(source, table)
	if on != "" && condition != "" {
		condition = "(" + on + ") AND (" + condition + ")"
	} else {
		condition += on
	}
	text = with + head
	if source != "" {
		text += "\nFROM " + source
	}
	if condition != "" {
		text += "\nWHERE " + condition
	}
	output, into, _ := strings.Cut(output, " INTO @")
	if output != "" {
		text += "\nRETURNING " + strings.ReplaceAll(output, "inserted.", table+".")
	}
	if into != "" {
		text = "WITH output AS (" + text + ") INSERT INTO v_" + strings.TrimSpace(into) + " SELECT * FROM output"
	}
	return text
}

// cut parts a text at a word outside of quotes and parentheses.
func cut(text, word string) (before, after string) {
	at := outside(text, word)
	if at < 0 {
		return text, ""
	}
	return text[:at], strings.TrimSpace(text[at+len(word):])
}

// others takes the table that is updated out of what is read, and returns the
// condition by which it was joined.
func others(source, table string) (rest, on string) {
	left, right := cut(source, "JOIN")
	if right == "" {
		return strings.TrimSuffix(source, ", "+table), ""
	}
	right, on = cut(right, "ON")
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	switch table {
	case right:
		return left, on
	case left:
		return right, on
	}
	panic("an update of " + table + " from " + source)
}
