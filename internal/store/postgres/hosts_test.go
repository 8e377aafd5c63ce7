package postgres

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestHostsAreTakenApart: each host of a URL once, with all that it is tried with.
func TestHostsAreTakenApart(t *testing.T) {
	for url, want := range map[string]string{
		"postgres://u@a:1/db?sslmode=disable":                "a:1+0",
		"postgres://u@a:1,b:2/db?sslmode=prefer":             "a:1+1 b:2+1", // with TLS, then without
		"postgres://u@a,a:2,b/db?sslmode=require":            "a:5432+0 a:2+0 b:5432+0",
		"postgres://u@/db?host=::1,::2&port=1,2":             "::1:1+1 ::2:2+1",
		"postgres://u@/db?host=/run/a,b&port=1&sslmode=none": "",
	} {
		c, err := pgx.ParseConfig(url)
		if want == "" {
			if err == nil {
				t.Errorf("%s is taken", url)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range placesOf(c).each {
			got = append(got, one.Host+":"+strconv.Itoa(int(one.Port))+"+"+strconv.Itoa(len(one.Fallbacks)))
			if one.User != "u" || one.Database != "db" {
				t.Errorf("%s: %+v", url, one)
			}
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s, want %s", url, s, want)
		}
	}
}

// TestOfSeveralHostsTheOneThatTakesWrites: unless the URL says otherwise.
func TestOfSeveralHostsTheOneThatTakesWrites(t *testing.T) {
	for url, want := range map[string]bool{
		"postgres://u@a/db":   false,
		"postgres://u@a,b/db": true,
		"postgres://u@a,b/db?target_session_attrs=primary":   true,
		"postgres://u@a/db?target_session_attrs=read-write":  true,
		"postgres://u@a:1,a:2/db?target_session_attrs=any":   true, // no other is of use
		"postgres://u@a/db?sslmode=prefer&connect_timeout=1": false,
	} {
		c, err := Config(url)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ValidateConnect != nil; got != want {
			t.Errorf("%s: looked at %v, want %v", url, got, want)
		}
	}
}
