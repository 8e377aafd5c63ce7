package tds

import (
	"regexp"
	"strings"
)

var likeText = regexp.MustCompile(`program_name LIKE ('[^']*'|@\w+)`)

// system answers what is asked of the server itself. Most of it is not known
// here, as on servers that are no SQL Server.
func (b *batch) system(m []string) error {
	text := m[0]
	number := func(values ...any) {
		kinds := make([]kind, len(values))
		for i := range kinds {
			kinds[i] = numbers
		}
		b.answer(result{kinds: kinds, rows: [][]any{values}, count: 1})
	}
	switch {
	case strings.Contains(text, "is_read_committed_snapshot_on"):
		number(int64(0), int64(0), int64(120))
	case strings.Contains(text, "encrypt_option"):
		b.answer(result{kinds: []kind{texts}, rows: [][]any{{"FALSE"}}, count: 1})
	case strings.Contains(text, "EngineEdition"):
		number(int64(0))
	case strings.Contains(text, "recovery_fork_guid") && b.session.forks:
		b.answer(result{kinds: []kind{texts}, rows: [][]any{{textOrNull(b.session.fork)}}, count: 1})
	case strings.Contains(text, "create_date"):
		b.answer(result{kinds: []kind{texts}, rows: [][]any{{madeAt}}, count: 1})
	case strings.Contains(text, "HAS_PERMS_BY_NAME"):
		number(int64(1))
	case strings.Contains(text, "ProductVersion"):
		b.answer(result{kinds: []kind{texts, texts, texts}, rows: [][]any{{"12.0.2000.8", "", "Babelfish, played"}}, count: 1})
	case strings.HasPrefix(text, "SELECT session_id FROM sys.dm_exec_sessions"):
		b.answer(b.sessionsLike(likeText.FindStringSubmatch(text)[1]))
	default:
		return &failure{208, 16, "Invalid object name in " + text}
	}
	return nil
}

// sessionsLike are the sessions of the database whose program's name is as the
// pattern, which may end by %.
func (b *batch) sessionsLike(pattern string) result {
	if v, ok := b.vars[pattern].(string); ok {
		pattern = v
	}
	start, open := strings.CutSuffix(strings.Trim(pattern, "'"), "%")
	r := result{kinds: []kind{numbers}}
	b.session.server.mu.Lock()
	defer b.session.server.mu.Unlock()
	for id, s := range b.session.server.sessions {
		if s.database == b.session.database && (s.program == start || open && strings.HasPrefix(s.program, start)) {
			r.rows = append(r.rows, []any{id})
		}
	}
	r.count = int64(len(r.rows))
	return r
}

// madeAt is when a played database was made.
const madeAt = "2026-01-02T03:04:05.678"

func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}
