package rt

import (
	"bytes"
	"encoding/json"
	"strings"
)

// record is an object of Request Tracker; which fields it has depends on what
// was asked for.
type record map[string]json.RawMessage

// text returns a field's value: a text or a number as it is, of a reference
// ({"id": ...}) the id, of anything else "".
func (r record) text(field string) string { return textOf(r[field]) }

func textOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		_ = json.Unmarshal(raw, &s) // raw was valid inside its document
		return s
	case '{':
		var ref struct {
			ID json.RawMessage `json:"id"`
		}
		if json.Unmarshal(raw, &ref) != nil || bytes.HasPrefix(ref.ID, []byte("{")) {
			return ""
		}
		return textOf(ref.ID)
	case '[', 'n':
		return ""
	}
	return string(raw)
}

// customFields returns the values by name; several values are joined by newlines.
func (r record) customFields() map[string]string {
	var list []struct {
		Name   string            `json:"name"`
		Values []json.RawMessage `json:"values"`
	}
	if json.Unmarshal(r["CustomFields"], &list) != nil {
		return nil
	}
	fields := make(map[string]string, len(list))
	for _, f := range list {
		values := make([]string, len(f.Values))
		for i, v := range f.Values {
			values[i] = textOf(v)
		}
		fields[f.Name] = strings.Join(values, "\n")
	}
	return fields
}

// page is one page of a search.
type page struct {
	Items []record `json:"items"`
}

// quote puts a value into TicketSQL.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
