package postgres_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"tieline/internal/fault"
	"tieline/internal/store/postgres"
	"tieline/internal/storetest"
)

func TestConfigLimitsWhatAFrozenProcessHolds(t *testing.T) {
	url := storetest.FreshPostgres(t)
	for _, c := range []struct {
		name, url string
		want      map[string]string
	}{
		{"ours", url, map[string]string{
			"application_name": "tieline", "idle_in_transaction_session_timeout": "2s", "tcp_keepalives_idle": "5",
		}},
		{"the URL's own", url + "&application_name=plant&idle_in_transaction_session_timeout=7s", map[string]string{
			"application_name": "plant", "idle_in_transaction_session_timeout": "7s", "tcp_keepalives_interval": "2",
		}},
	} {
		config, err := postgres.Config(c.url)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		conn, err := pgx.ConnectConfig(t.Context(), config)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		defer conn.Close(t.Context())
		for name, want := range c.want {
			var got string
			if err := conn.QueryRow(t.Context(), "SHOW "+name).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s is %q, not %q: %v", c.name, name, got, want, err)
			}
		}
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	_, err := postgres.Config("postgres://ann:hush@host:notaport/db")
	if fault.KindOf(err) != fault.Invalid || strings.Contains(err.Error(), "hush") {
		t.Errorf("a wrong URL: %v", err)
	}
}
