package store_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
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
	{"a reserved word as a name", regexp.MustCompile(`(?i)\b(identity|user|file|plan|rule|save|statistics|percent|public|external|current_user|function|index|print|schema|tran|use|view|backup|browse|bulk|checkpoint|compute|cursor|database|deny|disk|dump|goto|holdlock|kill|lineno|load|national|off|offsets|open|over|pivot|precision|procedure|readtext|restore|restrict|revert|revoke|rowguidcol|shutdown|textsize|trigger|truncate|unpivot|waitfor|while)\b`)},
}

const (
	maxParameters = 2100
	maxValues     = 1000
)

// notTSQL lists what SQL Server 2017 would not take of a statement.
func notTSQL(text string, args int) (faults []string) {
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
	}
	return false
}

// bareTSQL blanks strings, quoted names and comments out.
func bareTSQL(text string) string {
	return regexp.MustCompile(`N?'(?:[^']|'')*'|\[[^\]]*\]|"[^"]*"|--[^\n]*`).ReplaceAllString(text, " _ ")
}

func TestRulesOfTSQL(t *testing.T) {
	for text, bad := range map[string]bool{
		"SELECT a FROM b ORDER BY a LIMIT 2":                              true,
		"SELECT a FROM b ORDER BY a OFFSET 0 ROWS FETCH NEXT 2 ROWS ONLY": false,
		"SELECT EXISTS (SELECT 1)":                                        true,
		"SELECT CASE WHEN EXISTS (SELECT 1) THEN 1 ELSE 0 END":            false,
		"SELECT identity FROM lease":                                      true,
		"SELECT [identity] FROM lease":                                    false,
		"SELECT 'LIMIT || true' -- RETURNING":                             false,
		"UPDATE a SET b = c || d":                                         true,
		"SELECT a FROM b WHERE (a, c) < (@p1, @p2)":                       true,
		"SELECT a FROM b WHERE a IN (@p1, @p2)":                           false,
		"SELECT max(a, b) FROM c":                                         true,
		"SELECT 1 WHERE a = $1":                                           true,
		"DECLARE @a int = 1\nWITH input AS (SELECT 1) SELECT 1":           true,
		"DECLARE @a int = 1;\nWITH input AS (SELECT 1) SELECT 1":          false,
		"SELECT a FROM b ORDER BY a FETCH NEXT 2 ROWS ONLY; MERGE":        true,
	} {
		if found := notTSQL(text, 0); (len(found) > 0) != bad {
			t.Errorf("%s: %v", text, found)
		}
	}
	if len(notTSQL("SELECT 1", maxParameters+1)) == 0 {
		t.Error("more parameters than a statement takes are let pass")
	}
}
