package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tieline/internal/fault"
	"tieline/internal/secret"
)

func given(file string, env map[string]string, flags map[string]string) Given {
	g := Given{Flags: flags, Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}
	if file != "" {
		g.File = "tieline.yaml"
		g.Read = func(string) ([]byte, error) { return []byte(file), nil }
	}
	return g
}

func TestDefaults(t *testing.T) {
	c, err := Load(given("", nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != DefaultListen || c.Server == "" || !c.Embedded() || c.HighAvailability || !c.MigrateAtStart() {
		t.Errorf("unexpected defaults: %+v", c)
	}
	u, err := c.DatabaseURL()
	if err != nil || u.Reveal() != "sqlite:"+filepath.Join("tieline-data", "tieline.db") {
		t.Errorf("DatabaseURL = %q, %v", u.Reveal(), err)
	}
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	file := "server: from-file\nlisten: 127.0.0.1:1\ndata_dir: /from/file\n"
	env := map[string]string{"TIELINE_SERVER": "from-env", "TIELINE_LISTEN": "127.0.0.1:2"}
	c, err := Load(given(file, env, map[string]string{"server": "from-flag"}))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Server, c.Listen, c.DataDir}
	want := []string{"from-flag", "127.0.0.1:2", "/from/file"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSampleFileIsValidAndComplete(t *testing.T) {
	c, err := Load(given(Sample, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.Server != "server1" || !c.HighAvailability || c.Database.Password != "env:TIELINE_DB_PASSWORD" {
		t.Errorf("the sample was read as %+v", c)
	}
	for _, s := range Settings() {
		parts := strings.Split(s.Key, ".")
		if !strings.Contains(Sample, parts[len(parts)-1]+":") {
			t.Errorf("the sample does not show %s", s.Key)
		}
	}
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	file := "server: Not_Valid\nlistne: x\ndatabase:\n  url: oracle://u:hunter2@h/d\n  pool: 3\n  migrate: maybe\nlog: text\nconnectors: [a, a]\nserver: twice\n"
	_, err := Load(given(file, map[string]string{"TIELINE_LOG_LEVEL": "loud"}, map[string]string{"listen": "nowhere"}))
	var paths []string
	for _, p := range fault.ProblemsOf(err) {
		paths = append(paths, p.Path)
	}
	want := []string{"server", "listne", "database.url", "database.pool", "database.migrate", "log", "connectors", "server", "TIELINE_LOG_LEVEL", "--listen"}
	if d := cmp.Diff(want, paths, cmpopts.SortSlices(strings.Compare)); d != "" {
		t.Errorf("problems (-want +got):\n%s\n%v", d, err)
	}
	if fault.KindOf(err) != fault.Invalid {
		t.Errorf("kind = %v, want Invalid", fault.KindOf(err))
	}
	if strings.Contains(fmt.Sprintf("%v %s", err, fault.Message(err)), "hunter2") {
		t.Error("the database's password is in the error")
	}
}

func TestMissingAndBrokenFiles(t *testing.T) {
	_, err := Load(Given{File: filepath.Join(t.TempDir(), "none.yaml")})
	if fault.KindOf(err) != fault.NotFound || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	for _, text := range []string{"a: [", "- list\n", "just text"} {
		if _, err := Load(given(text, nil, nil)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Load(given("# nothing but a comment\n", nil, nil)); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestDatabasePasswordIsNeverPrinted(t *testing.T) {
	for _, u := range []string{"postgres://tl:hunter2@db/tl", "postgres://db/tl?user=tl&password=hunter2"} {
		c, err := Load(given("", map[string]string{"TIELINE_DATABASE_URL": u}, nil))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{c.DatabaseText(), fmt.Sprintf("%+v %#v", c, c)} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("printed: %s", text)
			}
		}
		if !strings.Contains(c.DatabaseText(), "db/tl") {
			t.Errorf("DatabaseText = %q does not name the database", c.DatabaseText())
		}
		if place := c.DatabasePlace(); place != "postgres://db/tl" {
			t.Errorf("who has not signed in is told %q", place)
		}
	}
}

func TestDatabasePasswordByReference(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s p@ce\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Default()
	c.Database = Database{URL: secret.New("postgres://tl@db/tl"), Password: secret.Ref("file:" + file)}
	u, err := c.DatabaseURL()
	if err != nil || u.Reveal() != "postgres://tl:s%20p%40ce@db/tl" {
		t.Errorf("DatabaseURL = %q, %v", u.Reveal(), err)
	}
	_, err = Load(given("database: {password: hunter2}", nil, nil))
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password written in place: %v", err)
	}
}

func TestValuesShowWhatApplies(t *testing.T) {
	c, err := Load(given(Sample, nil, map[string]string{"connectors": "b,a", "database.url": "postgres://tl:hunter2@db/tl"}))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range c.Values() {
		got[v.Env()] = v.Text
	}
	want := map[string]string{
		"TIELINE_SERVER": "server1", "TIELINE_LISTEN": ":8642", "TIELINE_ADVERTISE": "http://server1.example:8642",
		"TIELINE_DATA_DIR": "/var/lib/tieline", "TIELINE_DATABASE_URL": "postgres://tl:xxxxx@db/tl", "TIELINE_DATABASE_PASSWORD": "env:TIELINE_DB_PASSWORD",
		"TIELINE_DATABASE_MIGRATE": "false", "TIELINE_MANAGEMENT_GROUP": "default", "TIELINE_HIGH_AVAILABILITY": "true",
		"TIELINE_CONNECTORS": "b,a", "TIELINE_LOG_LEVEL": "info", "TIELINE_LOG_FORMAT": "text",
		"TIELINE_CONSOLE_URL": "https://tieline.example", "TIELINE_CONSOLE_PROXIES": "", "TIELINE_OIDC_ISSUER": "",
		"TIELINE_OIDC_CLIENT_ID": "", "TIELINE_OIDC_CLIENT_SECRET": "", "TIELINE_OIDC_LABEL": "Sign in with OpenID",
		"TIELINE_OIDC_SCOPES": "profile,email", "TIELINE_OIDC_NAME_CLAIM": "preferred_username", "TIELINE_OIDC_ROLE_CLAIM": "groups",
		"TIELINE_OIDC_VIEWERS": "", "TIELINE_OIDC_OPERATORS": "", "TIELINE_OIDC_ADMINS": "",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAdvertise(t *testing.T) {
	host, _ := os.Hostname()
	for _, c := range []struct{ advertise, listening, want string }{
		{"", "127.0.0.1:99", "http://127.0.0.1:99"},
		{"", "[::]:99", "http://" + host + ":99"},
		{"", "0.0.0.0:99", "http://" + host + ":99"},
		{"https://a.example/", "127.0.0.1:99", "https://a.example"},
	} {
		if got := (Config{Advertise: c.advertise}).AdvertiseFor(c.listening); got != c.want {
			t.Errorf("AdvertiseFor(%q) with %q = %q, want %q", c.listening, c.advertise, got, c.want)
		}
	}
}

func TestServerName(t *testing.T) {
	for host, want := range map[string]string{"WEB1.example.org": "web1", "my_box": "my-box", "": "localhost", "...": "localhost"} {
		if got := ServerName(host); got != want {
			t.Errorf("ServerName(%q) = %q, want %q", host, got, want)
		}
	}
}
