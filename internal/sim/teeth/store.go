package main

import "os"

// storeTests selects the store's tests: all with a PostgreSQL server at hand,
// else those that need none.
func storeTests() string {
	if os.Getenv("TIELINE_TEST_POSTGRES_URL") != "" {
		return "."
	}
	return "SQLite|^Test[^/]*$/^sqlite$"
}
