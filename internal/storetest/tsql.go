package storetest

import (
	"fmt"
	"regexp"
	"strings"
)

// tsqlRules are what SQL Server 2017 does not know, beside what it knows of it.
var tsqlRules = []struct {
	what string
	has  *regexp.Regexp
}{
	{"LIMIT", regexp.MustCompile(`(?i)\bLIMIT\b`)},
	{"RETURNING", regexp.MustCompile(`(?i)\bRETURNING\b`)},
	{"ON CONFLICT or ON DUPLICATE KEY", regexp.MustCompile(`(?i)\bON\s+(CONFLICT|DUPLICATE)\b`)},
	{"FOR UPDATE", regexp.MustCompile(`(?i)\bFOR\s+(UPDATE|SHARE)\b`)},
	{"a parameter of PostgreSQL's", regexp.MustCompile(`\$\d`)},
	{"|| for strings", regexp.MustCompile(`\|\|`)},
	{"a cast by ::", regexp.MustCompile(`::`)},
	{"an operator on JSON", regexp.MustCompile(`->`)},
	{"a boolean literal", regexp.MustCompile(`(?i)\b(true|false)\b`)},
	{"IS DISTINCT FROM (2022)", regexp.MustCompile(`(?i)\bIS\s+(NOT\s+)?DISTINCT\b`)},
	{"MERGE", regexp.MustCompile(`(?i)\bMERGE\b`)},
	{"a function newer than 2017", regexp.MustCompile(`(?i)\b(GREATEST|LEAST|GENERATE_SERIES|DATETRUNC|DATE_BUCKET|JSON_OBJECT|JSON_ARRAY|JSON_PATH_EXISTS|BIT_COUNT|APPROX_COUNT_DISTINCT|STRING_SPLIT|LEFT_SHIFT|NULLIFZERO)\s*\(`)},
	{"a function of other engines", regexp.MustCompile(`(?i)\b(substr|length|unnest|json_each|json_agg|now|ifnull|random|greatest|char_length|group_concat|to_char|lpad)\s*\(`)},
	{"text as a type", regexp.MustCompile(`(?i)\bAS\s+(text|blob|boolean|bytea|jsonb?)\b`)},
	{"an aggregate of two values", regexp.MustCompile(`(?i)\b(max|min)\([^()]*,`)},
	{"EXISTS as a value", regexp.MustCompile(`(?i)(SELECT|,)\s+(NOT\s+)?EXISTS\b`)},
	{"a comparison of rows", regexp.MustCompile(`(?i)\(\s*[\w.@]+\s*,\s*[\w.@]+[^()]*\)\s*(=|<|>|<>|IN)\s*\(`)},
	{"USING in a join", regexp.MustCompile(`(?i)\bUSING\s*\(`)},
	{"a join of a pair in parentheses without ON of its own", regexp.MustCompile(`(?i)\bWHERE\s+1\s*$`)},
	{"a lock clause at the end", regexp.MustCompile(`(?i)\bSKIP\s+LOCKED\b`)},
	{"NULLS FIRST or LAST", regexp.MustCompile(`(?i)\bNULLS\s+(FIRST|LAST)\b`)},
	{"FILTER of an aggregate", regexp.MustCompile(`(?i)\bFILTER\s*\(`)},
	{"ILIKE", regexp.MustCompile(`(?i)\bILIKE\b`)},
	{"what was there before, in OUTPUT (a join with the row as it was, on some servers)", regexp.MustCompile(`(?is)\bOUTPUT\b.*\bdeleted\.`)},
	{"a CASE in OUTPUT (not known everywhere)", regexp.MustCompile(`(?is)\bOUTPUT\b[^;]*?\bCASE\b[^;]*?\bWHERE\b`)},
	{"a JOIN of an UPDATE that answers rows (a sub-select that finds rows by their place, on some servers)", regexp.MustCompile(`(?is)\bUPDATE\b[^;]*\bOUTPUT\b[^;]*\bJOIN\b\s+\w`)},
	{"a parameter where sp_getapplock wants an int", regexp.MustCompile(`(?i)@LockTimeout\s*=\s*@`)},
	{"a reserved word as a name", regexp.MustCompile(`(?i)\b(identity|user|file|plan|rule|save|statistics|percent|public|external|current_user|function|index|print|schema|tran|use|view|backup|browse|bulk|checkpoint|compute|cursor|database|deny|disk|dump|goto|holdlock|kill|lineno|load|national|off|offsets|open|over|pivot|precision|procedure|readtext|restore|restrict|revert|revoke|rowguidcol|shutdown|textsize|trigger|truncate|unpivot|waitfor|while)\b`)},
}

const (
	maxParameters = 2100
	maxValues     = 1000
)

// NotTSQL lists what SQL Server 2017 would not take of a statement with so many
// parameters. It knows the mistakes that the other engines' languages tempt to; it
// is no parser.
func NotTSQL(text string, args int) (faults []string) {
	bare := bareTSQL(text)
	for _, rule := range tsqlRules {
		if found := rule.has.FindString(bare); found != "" && !allowedTSQL(bare, found) {
			faults = append(faults, fmt.Sprintf("%s: %q", rule.what, found))
		}
	}
	if args > maxParameters {
		faults = append(faults, fmt.Sprintf("%d parameters", args))
	}
	if n := strings.Count(bare, "),"); strings.Contains(bare, "VALUES") && n >= maxValues {
		faults = append(faults, fmt.Sprintf("%d rows of VALUES", n+1))
	}
	if with := strings.Index(bare, "WITH input"); with > 0 && !strings.HasSuffix(strings.TrimSpace(bare[:with]), ";") {
		faults = append(faults, "WITH behind a statement that has no ; at its end")
	}
	if fetch := strings.Index(bare, "FETCH NEXT"); fetch >= 0 && !strings.Contains(bare[:fetch], "ORDER BY") {
		faults = append(faults, "FETCH without ORDER BY")
	}
	return faults
}

// allowedTSQL are uses of a reserved word as such.
func allowedTSQL(bare, found string) bool {
	switch strings.ToUpper(found) {
	case "OVER":
		return regexp.MustCompile(`(?i)\bOVER\s*\(`).MatchString(bare)
	case "OFF":
		return strings.HasPrefix(bare, "SET ")
	}
	return false
}

// bareTSQL blanks strings, quoted names and comments out.
func bareTSQL(text string) string {
	return regexp.MustCompile(`N?'(?:[^']|'')*'|\[[^\]]*\]|"[^"]*"|--[^\n]*`).ReplaceAllString(text, " _ ")
}
