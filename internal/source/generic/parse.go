package generic

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tieline/internal/alert"
	"tieline/internal/source"
)

// Adapter reads what is posted to a generic source.
type Adapter struct{ name string }

var known = []string{"key", "status", "severity", "summary", "description", "labels", "annotations", "url", "starts_at", "ends_at"}

// Parse implements source.Adapter.
func (a *Adapter) Parse(text []byte, limits source.Limits) ([]alert.Observation, error) {
	body, err := source.ReadBody(text, limits)
	if err != nil {
		return nil, err
	}
	observations, err := a.observations(body)
	if err != nil {
		return nil, err
	}
	if err := body.Err(); err != nil {
		return nil, err
	}
	return observations, nil
}

func (a *Adapter) observations(body *source.Body) ([]alert.Observation, error) {
	root, path := body.Root, ""
	if object, ok := root.(map[string]any); ok {
		list, wrapped := object["alerts"]
		if !wrapped {
			return []alert.Observation{a.observation(body, object, "")}, nil
		}
		body.Only(object, "", "alerts")
		root, path = list, "alerts"
	}
	list, err := body.Alerts(root, path)
	if err != nil {
		return nil, err
	}
	observations := make([]alert.Observation, len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		observations[i] = a.observation(body, body.Object(item, at), at)
	}
	return observations, nil
}

func (a *Adapter) observation(body *source.Body, object map[string]any, path string) alert.Observation {
	if object == nil {
		return alert.Observation{} // told already
	}
	body.Only(object, path, known...)
	o := alert.Observation{
		Source:   a.name,
		Key:      body.Text(object, path, "key"),
		Status:   status(body, object, path),
		StartsAt: body.Time(object, path, "starts_at"),
		EndsAt:   body.Time(object, path, "ends_at"),
		Content: alert.Content{
			Severity:    body.Text(object, path, "severity"),
			Summary:     body.Text(object, path, "summary"),
			Description: body.Text(object, path, "description"),
			Labels:      body.Texts(object, path, "labels"),
			Annotations: body.Texts(object, path, "annotations"),
			URL:         body.Text(object, path, "url"),
		},
	}
	switch {
	case o.EndsAt.IsZero():
	case o.Status == alert.Open:
		body.Fail(source.Join(path, "ends_at"), `an open alert has not ended; send status "closed", or leave ends_at out`)
	case o.EndsAt.Before(o.StartsAt):
		body.Fail(source.Join(path, "ends_at"), "the end is before starts_at")
	}
	body.Key(o.Key, path, "key")
	if o.Key == "" {
		o.Key = made(o.Content)
	}
	if o.Key == "" {
		body.Fail(source.Join(path, "key"), "give a key, labels or a summary, so that the alert can be told from others")
	}
	return o
}

func status(body *source.Body, object map[string]any, path string) alert.Status {
	switch word := body.Text(object, path, "status"); word {
	case "", "open", "firing":
		return alert.Open
	case "closed", "resolved":
		return alert.Closed
	default:
		body.Fail(source.Join(path, "status"), "expected open, firing, closed or resolved, found %q", source.Short(word))
		return ""
	}
}

// made returns a key made from what identifies the problem, "" when nothing does.
func made(c alert.Content) string {
	hash := sha256.New()
	write := func(text string) { fmt.Fprintf(hash, "%d:%s", len(text), text) }
	switch {
	case len(c.Labels) > 0:
		for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
			write(name)
			write(c.Labels[name])
		}
	case strings.TrimSpace(c.Summary) != "":
		write(c.Summary)
	default:
		return ""
	}
	return "made-" + hex.EncodeToString(hash.Sum(nil)[:16])
}
