package sqlite_test

import (
	"path/filepath"
	"testing"

	"tieline/internal/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tieline.db") })
}
