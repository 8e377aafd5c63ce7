package sqlserver

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/microsoft/go-mssqldb/msdsn"

	"tieline/internal/fault"
)

func TestConfig(t *testing.T) {
	c, err := Config("sqlserver://sa:hush@db.example:1444?database=alerts&encrypt=strict&hostNameInCertificate=db&dial+timeout=9&connection+timeout=30")
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "db.example" || c.Port != 1444 || c.Database != "alerts" || c.User != "sa" || c.Password != "hush" ||
		c.Encryption != msdsn.EncryptionStrict || c.TrustServerCertificate || c.AppName != "tieline" || c.DialTimeout != 9*time.Second {
		t.Errorf("config %+v", c)
	}
	if within := loginWithin(&c); within != 30*time.Second || c.ConnTimeout != 0 {
		t.Errorf("login within %v; every statement within %v", within, c.ConnTimeout)
	}
	if w := where(c); w != "sqlserver://db.example:1444/alerts" {
		t.Errorf("where %q", w)
	}
	c, err = Config(`sqlserver://db/SQLEXPRESS?database=alerts&app+name=plant`)
	if err != nil || c.Instance != "SQLEXPRESS" || c.AppName != "plant" || c.DialTimeout != dialTimeout || loginWithin(&c) != loginTimeout {
		t.Errorf("config %+v, %v", c, err)
	}
	if w := where(c); w != `sqlserver://db\SQLEXPRESS/alerts` {
		t.Errorf("where %q", w)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for url, text := range map[string]string{
		"sqlserver://sa:hu/sh@db:1433?database=d":                      "%2F",
		"sqlserver:///x?database=d":                                    "write it as",
		"sqlserver://sa:hush@db":                                       "names no database",
		"sqlserver://sa:hush@db?database=d&encrypt=perhaps":            "perhaps",
		"sqlserver://sa:hush@db?database=d&port=none":                  "none",
		"sqlserver://sa:hush@db?database=d&applicationintent=ReadOnly": "read-only",
	} {
		_, err := Config(url)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fault.Message(err), text) {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if shown := err.Error() + fault.Message(err); strings.Contains(shown, "hush") || strings.Contains(shown, "hu/") || strings.Contains(shown, ":hu") {
			t.Errorf("the password is in %q", shown)
		}
	}
}

func TestUnreachableSaysWhatToDo(t *testing.T) {
	c, err := Config("sqlserver://sa:hush@db?database=d")
	if err != nil {
		t.Fatal(err)
	}
	for text, next := range map[string]string{
		"TLS Handshake failed: tls: failed to verify certificate: x509: certificate signed by unknown authority": "TrustServerCertificate",
		"TLS Handshake failed: server certificate doesn't match the provided certificate":                        "certificate=",
		"TLS Handshake failed: tls: server selected unsupported protocol version 301":                            "tlsmin",
		"server does not support encryption":                                                                     "encrypt=disable",
	} {
		f := unreachable(errors.New(text), c)
		if fault.KindOf(f) != fault.Unavailable || !strings.Contains(fault.Message(f), next) {
			t.Errorf("%s: %s", text, fault.Message(f))
		}
	}
}
