package tds

import (
	"regexp"
	"strings"
)

// collation is the schema's, which compares code points.
const collation = " COLLATE Latin1_General_100_BIN2"

// plain are forms that PostgreSQL writes otherwise, and nothing more.
var plain = []struct {
	has *regexp.Regexp
	is  string
}{
	{regexp.MustCompile(collation), ""},
	{regexp.MustCompile(` WITH \((?:NOLOCK|READCOMMITTEDLOCK|REPEATABLEREAD)[^)]*\)`), ""}, // hints
	{regexp.MustCompile(`\nOPTION \([^)]*\)`), ""},
	{regexp.MustCompile(`CAST\(HASHBYTES\('SHA2_256', ([\w.]+)\) AS binary\(32\)\)`), "md5($1)"},
	{regexp.MustCompile(`CHARINDEX\((\w+), (@\w+)\)`), "strpos($2, $1)"},
	{regexp.MustCompile(`LEN\((@\w+) \+ N'\.'\) - 1`), "char_length($1)"},
	{regexp.MustCompile(`OBJECT_ID\(N'(\w+)'\)`), "to_regclass('$1')::oid::bigint"},
	{regexp.MustCompile(`\bCOUNT_BIG\(`), "count("},
	{regexp.MustCompile(`'mssql-unnamed-' \+`), "'mssql-unnamed-' ||"},
	{regexp.MustCompile(`(CAST\(NEWID\(\) AS char\(36\)\)) \+`), "$1 ||"},
	{regexp.MustCompile(`\bNEWID\(\)`), "gen_random_uuid()"},
}

var (
	openjson   = regexp.MustCompile(`(?s)OPENJSON\((@\w+|N?'[^']*')\) WITH \(((?:[^()]|\([^()]*\))*)\)(\s+AS \w+)?`)
	bounded    = regexp.MustCompile(`varchar\(\d+\)|char\(36\)`)
	topRows    = regexp.MustCompile(`SELECT TOP \(?(@\w+|\d+)\)? `)
	applockAsk = regexp.MustCompile(`APPLOCK_(MODE|TEST)\(N'public', (@\w+),[^)]*\)`)
	plusText   = regexp.MustCompile(`'\s*\+|\+(\s*N?')`)
	inserted   = regexp.MustCompile(`\nOUTPUT inserted\.(\w+)\n`)
	updates    = regexp.MustCompile(`(?s)^((?:WITH input .*?\n)?)(UPDATE (\w+) SET .*)$`)
)

const forJSON = " FOR JSON PATH"

// translate makes PostgreSQL's of one statement, with the variables' values.
func (b *batch) translate(text string) string {
	for _, word := range []string{"CREATE ", "ALTER ", "DROP "} {
		if strings.HasPrefix(text, word) {
			return definition(text)
		}
	}
	text = openjson.ReplaceAllStringFunc(text, rowsOfJSON)
	for _, p := range plain {
		text = p.has.ReplaceAllString(text, p.is)
	}
	text = applockAsk.ReplaceAllStringFunc(text, b.askLock)
	text = limits(asJSON(text))
	if m := inserted.FindStringSubmatch(text); m != nil && strings.Contains(text, "INSERT INTO") {
		text = strings.Replace(text, m[0], "\n", 1) + "\nRETURNING " + m[1]
	}
	if m := updates.FindStringSubmatch(text); m != nil {
		text = update(m[1], m[2], m[3])
	}
	return b.fill(text)
}

func rowsOfJSON(text string) string {
	m := openjson.FindStringSubmatch(text)
	alias := m[3]
	if alias == "" {
		alias = " AS j"
	}
	return "jsonb_to_recordset((" + m[1] + ")::jsonb)" + alias + "(" + bounded.ReplaceAllString(typesOf(m[2]), "text") + ")"
}

func (b *batch) askLock(text string) string {
	m := applockAsk.FindStringSubmatch(text)
	if m[1] == "MODE" {
		return b.session.server.locks.mode(b.session, b.resource(m[2]))
	}
	return b.session.server.locks.test(b.session, b.resource(m[2]))
}

// asJSON makes queries that answer JSON; what stands between them are texts.
func asJSON(text string) string {
	if !strings.Contains(text, forJSON) {
		return text
	}
	text = plusText.ReplaceAllStringFunc(text, func(plus string) string { return strings.Replace(plus, "+", "||", 1) })
	for {
		at := strings.Index(text, forJSON)
		if at < 0 {
			return text
		}
		from, to := opening(text, at), closing(text, at)
		text = text[:from] + "(SELECT json_agg(q)::text FROM (" + text[from+1:at] + ") AS q)" + text[to+1:]
	}
}

// limits puts TOP at the end of its query.
func limits(text string) string {
	for {
		m := topRows.FindStringSubmatchIndex(text)
		if m == nil {
			return text
		}
		end := closing(text, m[1])
		text = text[:m[0]] + "SELECT " + text[m[1]:end] + " LIMIT " + text[m[2]:m[3]] + text[end:]
	}
}

var variable = regexp.MustCompile(`^@@?\w+`)

// fill puts values for variables, and quotes texts and names as PostgreSQL does.
func (b *batch) fill(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\'':
			end := quoteEnd(text, i)
			out.WriteString(text[i : end+1])
			i = end
		case strings.HasPrefix(text[i:], "N'") && !within(text, i-1):
		case text[i] == '[' || text[i] == ']':
			out.WriteByte('"')
		case text[i] == '@':
			name := variable.FindString(text[i:])
			out.WriteString(b.literal(name))
			i += len(name) - 1
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}
