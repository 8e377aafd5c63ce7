package api

import (
	"reflect"
	"strconv"
	"testing"

	"tieline/internal/connector"
)

// TestSettingsHaveTheDocumentsRanges: what the API's description promises to take
// of the high-availability settings is what a document may say.
func TestSettingsHaveTheDocumentsRanges(t *testing.T) {
	of := reflect.TypeFor[HASettings]()
	for _, c := range []struct {
		field       string
		least, most float64
	}{
		{"Polling", connector.PollingLeast.Seconds(), connector.PollingMost.Seconds()},
		{"Tolerance", connector.ToleranceLeast, connector.ToleranceMost},
	} {
		field, ok := of.FieldByName(c.field)
		if !ok {
			t.Fatalf("HASettings has no %s", c.field)
		}
		for tag, want := range map[string]float64{"minimum": c.least, "maximum": c.most} {
			if got, err := strconv.ParseFloat(field.Tag.Get(tag), 64); err != nil || got != want {
				t.Errorf("%s of %s is %v, want %v", tag, c.field, field.Tag.Get(tag), want)
			}
		}
	}
}
