package sqlserver_test

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"tieline/internal/store/sqlserver"
	"tieline/internal/storetest"
)

func TestTextsAreTSQL(t *testing.T) {
	for name, text := range sqlserver.Texts() {
		for _, fault := range storetest.NotTSQL(text, 0) {
			t.Errorf("%s: %s in\n%s", name, fault, text)
		}
		if open, shut := strings.Count(text, "("), strings.Count(text, ")"); open != shut {
			t.Errorf("%s: %d parentheses open, %d close in\n%s", name, open, shut, text)
		}
		if begin, end := count(text, `BEGIN TRY|BEGIN CATCH|BEGIN(?: TRANSACTION)?`), count(text, `END TRY|END CATCH|END|COMMIT TRANSACTION`)-count(text, `(?s)CASE`); begin != end {
			t.Errorf("%s: %d begin, %d end in\n%s", name, begin, end, text)
		}
	}
}

func count(text, what string) int {
	return len(regexp.MustCompile(`\b(?:`+what+`)\b`).FindAllString(text, -1))
}

// TestMigrationsAreTheOtherEngines holds the schema against PostgreSQL's: the same
// versions, and the same tables with the same columns.
func TestMigrationsAreTheOtherEngines(t *testing.T) {
	files, err := fs.Glob(sqlserver.Migrations, "migrations/*.sql")
	if err != nil || len(files) < 3 {
		t.Fatalf("migrations %v: %v", files, err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(sqlserver.Migrations, file)
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		for _, wrong := range []string{`\binteger\b`, `\buuid\b`, `(?m)^GO$`, `\bDEFAULT\b`, `\bIF NOT EXISTS\b`, `nvarchar\(\d{4,}\)`} {
			found := regexp.MustCompile(wrong).FindString(regexp.MustCompile(`--.*`).ReplaceAllString(up, ""))
			if found != "" && !allowed[found] {
				t.Errorf("%s has %q", file, found)
			}
		}
		for _, line := range strings.Split(up, "\n") {
			if strings.Contains(line, "nvarchar(") && !strings.Contains(line, "COLLATE Latin1_General_100_BIN2") && !strings.Contains(line, "SERVERPROPERTY") && !strings.Contains(line, "AS nvarchar(36)") {
				t.Errorf("%s: a text is compared as the database likes in %q", file, line)
			}
		}
	}
}

// allowed are widths that no index has.
var allowed = map[string]bool{"nvarchar(1000)": true, "nvarchar(1024)": true, "nvarchar(2048)": true, "nvarchar(4000)": true}
