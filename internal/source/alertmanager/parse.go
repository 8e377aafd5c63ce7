package alertmanager

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"tieline/internal/alert"
	"tieline/internal/source"
)

// Adapter is one Alertmanager.
type Adapter struct{ name string }

// Parse implements source.Adapter. Fields that are not known are passed over:
// later versions of Alertmanager may add some.
func (a *Adapter) Parse(text []byte, limits source.Limits) ([]alert.Observation, error) {
	observations, _, err := a.ParseOmitting(text, limits)
	return observations, err
}

// ParseOmitting implements source.Omitting: Alertmanager leaves out what is beyond
// its max_alerts, and says how many in truncatedAlerts.
func (a *Adapter) ParseOmitting(text []byte, limits source.Limits) (_ []alert.Observation, omitted int, _ error) {
	body, err := source.ReadBody(text, limits)
	if err != nil {
		return nil, 0, err
	}
	root := body.Object(body.Root, "")
	if root == nil {
		return nil, 0, body.Err()
	}
	if version := body.Text(root, "", "version"); version != "4" {
		body.Fail("version", `expected "4", Alertmanager's webhook, found %q`, source.Short(version))
	}
	omitted = body.Count(root, "", "truncatedAlerts")
	list, err := body.Alerts(root["alerts"], "alerts")
	if err != nil {
		return nil, 0, err
	}
	observations := make([]alert.Observation, len(list))
	for i, item := range list {
		path := fmt.Sprintf("alerts[%d]", i)
		if object := body.Object(item, path); object != nil {
			observations[i] = a.pushed(body, object, path)
		}
	}
	if err := body.Err(); err != nil {
		return nil, 0, err
	}
	return observations, omitted, nil
}

// pushed reads one alert of the webhook.
func (a *Adapter) pushed(body *source.Body, object map[string]any, path string) alert.Observation {
	o := a.common(body, object, path)
	switch word := body.Text(object, path, "status"); word {
	case "firing":
		o.Status = alert.Open
	case "resolved":
		o.Status = alert.Closed
		o.EndsAt = body.ToldTime(object, path, "endsAt").Truncate(time.Millisecond)
	default:
		body.Fail(source.Join(path, "status"), "expected firing or resolved, found %q", source.Short(word))
	}
	return o
}

// common reads what the webhook and the list have alike, so that a listed alert
// repeats the pushed one. The list tells times to the millisecond only.
func (a *Adapter) common(body *source.Body, object map[string]any, path string) alert.Observation {
	labels := body.Texts(object, path, "labels")
	annotations := body.Texts(object, path, "annotations")
	o := alert.Observation{
		Source:   a.name,
		Key:      body.Text(object, path, "fingerprint"),
		StartsAt: body.ToldTime(object, path, "startsAt").Truncate(time.Millisecond),
		Content: alert.Content{
			Severity:    labels["severity"],
			Summary:     first(annotations["summary"], annotations["message"], labels["alertname"]),
			Description: annotations["description"],
			Labels:      labels,
			Annotations: annotations,
			URL:         body.Text(object, path, "generatorURL"),
		},
	}
	if len(labels) == 0 {
		body.Fail(source.Join(path, "labels"), "an alert has at least one label")
	}
	if o.Key == "" {
		o.Key = fingerprint(labels)
	}
	body.Key(o.Key, path, "fingerprint")
	return o
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// fingerprint is Alertmanager's own: FNV-1a over the sorted labels, each name
// and value followed by a byte that UTF-8 cannot contain.
func fingerprint(labels map[string]string) string {
	hash := fnv.New64a()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		for _, text := range []string{name, labels[name]} {
			hash.Write([]byte(text))
			hash.Write([]byte{0xff})
		}
	}
	return fmt.Sprintf("%016x", hash.Sum64())
}
