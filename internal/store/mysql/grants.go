package mysql

import (
	"regexp"
	"slices"
	"strings"
)

// needed are the rights to the database that work and migrations need.
var needed = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "CREATE VIEW"}

// grant is what SHOW GRANTS says of rights to everything or to databases.
var grant = regexp.MustCompile("^GRANT (.+) ON (?:(\\*)|`((?:[^`]|``)+)`)\\.\\* TO ")

// granted tells which of the rights the lines of SHOW GRANTS do not give for a
// database, and whether they give PROCESS.
func granted(lines []string, database string) (missing []string, process bool) {
	missing = slices.Clone(needed)
	for _, line := range lines {
		parts := grant.FindStringSubmatch(line)
		if parts == nil || parts[3] != "" && !matches(strings.ReplaceAll(parts[3], "``", "`"), database) {
			continue
		}
		rights := strings.Split(parts[1], ", ")
		all := slices.Contains(rights, "ALL PRIVILEGES") || slices.Contains(rights, "ALL")
		process = process || parts[2] == "*" && (all || slices.Contains(rights, "PROCESS"))
		missing = slices.DeleteFunc(missing, func(n string) bool { return all || slices.Contains(rights, n) })
	}
	return missing, process
}

// matches compares a database's name with a grant's, a pattern in which _ and %
// stand for characters unless they are escaped.
func matches(pattern, database string) bool {
	var b strings.Builder
	b.WriteString("^(?s:")
	escaped := false
	for _, r := range pattern {
		switch {
		case !escaped && r == '\\':
			escaped = true
			continue
		case !escaped && r == '%':
			b.WriteString(".*")
		case !escaped && r == '_':
			b.WriteString(".")
		default:
			b.WriteString(regexp.QuoteMeta(string(r)))
		}
		escaped = false
	}
	b.WriteString(")$")
	return regexp.MustCompile(b.String()).MatchString(database)
}

// grantAll is the statement that gives a user all rights to a database, as it can
// be pasted. user is as CURRENT_USER() tells it.
func grantAll(database, user string) string {
	pattern := strings.NewReplacer("`", "``", `\`, `\\`, "_", `\_`, "%", `\%`).Replace(database)
	return "GRANT ALL ON `" + pattern + "`.* TO " + account(user)
}

// account quotes a user, name@host, for a statement.
func account(user string) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	at := strings.LastIndexByte(user, '@')
	if at < 0 {
		return quote(user)
	}
	return quote(user[:at]) + "@" + quote(user[at+1:])
}
