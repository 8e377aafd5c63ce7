package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"tieline/internal/fault"
)

// TestUnreachable: what waiting does not mend is refused, unless one of several
// hosts may still let us in.
func TestUnreachable(t *testing.T) {
	said := func(code string) error { return fmt.Errorf("host: %w", &pgconn.PgError{Code: code}) }
	silent := errors.New("connection refused")
	for _, tt := range []struct {
		err  error
		want fault.Kind
	}{
		{said("3D000"), fault.Refused},
		{said("28P01"), fault.Refused},
		{said("28000"), fault.Refused},
		{said("57P03"), fault.Unavailable}, // it is starting up
		{said("53300"), fault.Unavailable}, // it has too many connections
		{silent, fault.Unavailable},
		{errors.Join(said("3D000"), said("3D000")), fault.Refused},
		{errors.Join(said("3D000"), silent), fault.Unavailable},
		{errors.Join(silent, said("3D000")), fault.Unavailable},
	} {
		if got := fault.KindOf(unreachable(tt.err, "postgres://db/tieline")); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.err, got, tt.want)
		}
	}
}
