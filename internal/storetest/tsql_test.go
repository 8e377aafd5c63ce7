package storetest_test

import (
	"testing"

	"tieline/internal/storetest"
)

func TestRulesOfTSQL(t *testing.T) {
	for text, bad := range map[string]bool{
		"SELECT a FROM b ORDER BY a LIMIT 2":                                        true,
		"SELECT a FROM b ORDER BY a OFFSET 0 ROWS FETCH NEXT 2 ROWS ONLY":           false,
		"SELECT EXISTS (SELECT 1)":                                                  true,
		"SELECT CASE WHEN EXISTS (SELECT 1) THEN 1 ELSE 0 END":                      false,
		"SELECT identity FROM lease":                                                true,
		"SELECT [identity] FROM lease":                                              false,
		"SELECT 'LIMIT || true' -- RETURNING":                                       false,
		"UPDATE a SET b = c || d":                                                   true,
		"SELECT a FROM b WHERE (a, c) < (@p1, @p2)":                                 true,
		"SELECT a FROM b WHERE a IN (@p1, @p2)":                                     false,
		"SELECT max(a, b) FROM c":                                                   true,
		"SELECT 1 WHERE a = $1":                                                     true,
		"DECLARE @a int = 1\nWITH input AS (SELECT 1) SELECT 1":                     true,
		"DECLARE @a int = 1;\nWITH input AS (SELECT 1) SELECT 1":                    false,
		"SELECT a FROM b ORDER BY a FETCH NEXT 2 ROWS ONLY; MERGE":                  true,
		"UPDATE a SET b = 1 OUTPUT deleted.b WHERE c = 1":                           true,
		"UPDATE a SET b = 1 OUTPUT CASE WHEN inserted.b = 1 THEN 1 END WHERE c = 1": true,
		"UPDATE a SET b = 1 OUTPUT inserted.b FROM d JOIN a ON a.c = d.c":           true,
		"UPDATE a SET b = 1 OUTPUT inserted.b FROM d, a WHERE a.c = d.c":            false,
		"UPDATE a SET b = 1 FROM d JOIN a ON a.c = d.c":                             false,
		"EXEC @r = sp_getapplock @Resource = @p1, @LockTimeout = @p2":               true,
		"EXEC @r = sp_getapplock @Resource = @p1, @LockTimeout = 100":               false,
	} {
		if found := storetest.NotTSQL(text, 0); (len(found) > 0) != bad {
			t.Errorf("%s: %v", text, found)
		}
	}
	if len(storetest.NotTSQL("SELECT 1", 2101)) == 0 {
		t.Error("more parameters than a statement takes are let pass")
	}
}
