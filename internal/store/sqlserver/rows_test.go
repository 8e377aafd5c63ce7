package sqlserver

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"tieline/internal/store/engine"
)

func TestDocumentOfRows(t *testing.T) {
	columns := []engine.Column{
		{Name: "id", Type: engine.UUID}, {Name: "previous", Type: engine.NullUUID},
		{Name: "body", Type: engine.Text}, {Name: "behind", Type: engine.NullInt},
	}
	id := uuid.MustParse("01a20510-19a0-79ec-9811-58c39850a5b9")
	got, err := document(columns, [][]any{{id, nil, "ü\"\n\x01😀", int64(1) << 60}, {id, id, "", nil}})
	want := `[{"behind":1152921504606846976,"body":"ü\"\n\u0001😀","id":"01a20510-19a0-79ec-9811-58c39850a5b9","ordinal":0},` +
		`{"body":"","id":"01a20510-19a0-79ec-9811-58c39850a5b9","ordinal":1,"previous":"01a20510-19a0-79ec-9811-58c39850a5b9"}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestInputHasTheTypesOfTheSchema(t *testing.T) {
	text := input([]engine.Column{
		{Name: "alert_id", Type: engine.UUID}, {Name: "connector", Type: engine.Text}, {Name: "due_at", Type: engine.NullInt},
		{Name: "identity", Type: engine.Text},
	})
	for _, want := range []string{
		"WITH input (ordinal, alert_id, connector, due_at, [identity]) AS (",
		"alert_id COLLATE Latin1_General_100_BIN2, connector COLLATE Latin1_General_100_BIN2, due_at, [identity] COLLATE",
		"OPENJSON($1) WITH (ordinal int, alert_id char(36), connector nvarchar(100), due_at bigint, [identity] nvarchar(max))",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestWidthsAreTheSchemas holds the types of input against the columns of the
// same name.
func TestWidthsAreTheSchemas(t *testing.T) {
	core, err := migrations.ReadFile("migrations/00001_core.sql")
	if err != nil {
		t.Fatal(err)
	}
	for name, width := range widths {
		if !strings.Contains(strings.Join(strings.Fields(string(core)), " "), " "+name+" "+width+collate) {
			t.Errorf("no column is %s %s", name, width)
		}
	}
}

// TestTablesAreTheSchemas: what is counted is what the migrations make.
func TestTablesAreTheSchemas(t *testing.T) {
	var made []string
	files, err := migrations.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := migrations.ReadFile("migrations/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^CREATE TABLE (\w+)`).FindAllStringSubmatch(string(text), -1) {
			made = append(made, m[1])
		}
	}
	want := slices.Sorted(slices.Values(made))
	if got := slices.Sorted(slices.Values(tables)); !slices.Equal(got, want) {
		t.Errorf("counted are %v, made %v", got, want)
	}
}
