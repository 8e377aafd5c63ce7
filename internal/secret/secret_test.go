package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const value = "hunter2-and-more"

func TestSecretNeverPrints(t *testing.T) {
	s := struct {
		Name  string
		Token String
	}{"am", New(value)}
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("resolved", "token", s.Token, "all", s)
	slog.New(slog.NewTextHandler(&log, nil)).Info("resolved", "token", s.Token, "all", s)
	for _, printed := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x", s, s, s, s.Token, s.Token, s.Token),
		fmt.Sprintf("%#v %x", s.Token, &s.Token), fmt.Errorf("connect: %v", s.Token).Error(),
		string(asJSON), string(asYAML), log.String(),
	} {
		if strings.Contains(printed, value) || strings.Contains(printed, fmt.Sprintf("%x", value)) {
			t.Errorf("printed: %s", printed)
		}
	}
	if s.Token.Reveal() != value {
		t.Error("Reveal lost the value")
	}
}

func TestEqual(t *testing.T) {
	s := New(value)
	if !s.Equal(value) || s.Equal(value+"x") || s.Equal("") {
		t.Error("Equal compares wrongly")
	}
}

func TestResolve(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TIELINE_TEST_TOKEN", value)
	for _, ref := range []Ref{"env:TIELINE_TEST_TOKEN", Ref("file:" + file)} {
		got, err := ref.Resolve()
		if err != nil || got.Reveal() != value {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []Ref{"env:TIELINE_TEST_UNSET", "file:/does/not/exist", Ref(value), "vault:x", "env:"} {
		_, err := ref.Resolve()
		if err == nil {
			t.Errorf("%s resolved", ref)
		} else if strings.Contains(err.Error(), value) {
			t.Errorf("a secret in the wrong place is repeated: %v", err)
		}
	}
	if got, err := Ref("").Resolve(); err != nil || !got.IsZero() {
		t.Errorf("no reference: %v %v", got, err)
	}
}
