package connector

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

const (
	defaultSubject = `{{ .Summary | default .Labels.alertname | default .Key }}`

	defaultBody = `{{ .Description | default .Summary }}

Source: {{ .Source }}
Severity: {{ .Severity | default "not told" }}
{{ with .StartsAt }}Began: {{ . }}
{{ end }}{{ with .URL }}See: {{ . }}
{{ end }}{{ range $name, $value := .Labels }}
{{ $name }}: {{ $value }}{{ end }}
`
)

// setDefaults fills in what the document does not say. given holds the paths it
// does say something about.
func setDefaults(doc *Document, given map[string]bool) {
	for i := range doc.Sources {
		s := &doc.Sources[i]
		if !given[fmt.Sprintf("sources[%d].compare", i)] && s.URL != "" {
			s.Compare = Duration(time.Minute)
		}
	}
	orElse(given, "remote.poll", &doc.Remote.Poll, Duration(15*time.Second))

	if doc.Fields == nil {
		doc.Fields = make(map[string]Value)
	}
	for name, template := range map[string]string{"subject": defaultSubject, "body": defaultBody} {
		if !given["fields."+name] {
			doc.Fields[name] = Value{Template: template}
		}
	}

	// Request Tracker's own initial state, which is also where a reopened ticket
	// goes; the others have no states but those they are told.
	if doc.Remote.Kind == "rt" {
		orElse(given, "states.open", &doc.States.Open, "new")
		orElse(given, "states.closed", &doc.States.Closed, "resolved")
	} else {
		orElse(given, "states.open", &doc.States.Open, "open")
		orElse(given, "states.closed", &doc.States.Closed, "closed")
	}
	doc.States.Classes = over(defaultClasses, doc.States.Classes)
	if !given["states.ended"] {
		doc.States.Ended = notOpen(doc.States.Classes)
	}

	orElse(given, "lifecycle.close.action", &doc.Lifecycle.Close.Action, CloseResolve)
	doc.Lifecycle.Refire = over(defaultRefire(doc.Remote.Kind), doc.Lifecycle.Refire)

	orElse(given, "limits.concurrency", &doc.Limits.Concurrency, 8)
	orElse(given, "limits.burst", &doc.Limits.Burst, max(1, int(math.Min(doc.Limits.Rate, maxRate))))
	orElse(given, "limits.timeout", &doc.Limits.Timeout, Duration(10*time.Second))
	orElse(given, "limits.window", &doc.Limits.Window, Duration(30*time.Second))
	orElse(given, "limits.attempts", &doc.Limits.Attempts, 20)
	orElse(given, "limits.backoff.first", &doc.Limits.Backoff.First, Duration(time.Second))
	orElse(given, "limits.backoff.max", &doc.Limits.Backoff.Max, Duration(5*time.Minute))

	orElse(given, "high_availability.polling_interval", &doc.Availability.Polling, Duration(30*time.Second))
	orElse(given, "high_availability.tolerance", &doc.Availability.Tolerance, 3)
	orElse(given, "high_availability.failback", &doc.Availability.Failback, "manual")

	orElse(given, "retention.days", &doc.Retention.Days, 90)
}

// defaultClasses know Request Tracker's states and the words a class goes by.
var defaultClasses = map[string]string{
	"new":          ClassOpen,
	"open":         ClassOpen,
	"stalled":      ClassOpen,
	"acknowledged": ClassOpen,
	"resolved":     ClassResolved,
	"closed":       ClassClosed,
	"rejected":     ClassCancelled,
	"cancelled":    ClassCancelled,
	"merged":       ClassMerged,
	"deleted":      ClassDeleted,
}

// defaultRefire is careful: where tickets live on, an open one is used further
// and a lately resolved one is opened again. Where the remote takes messages
// and nothing is known of tickets, each occurrence is a message of its own.
func defaultRefire(kind string) map[string]Refire {
	if kind != "rt" {
		table := make(map[string]Refire)
		for _, class := range Classes {
			table[class] = Refire{Action: RefireNew}
		}
		return table
	}
	return map[string]Refire{
		ClassOpen:      {Action: RefireComment},
		ClassResolved:  {Action: RefireReopen, Within: Duration(24 * time.Hour)},
		ClassClosed:    {Action: RefireLinked},
		ClassCancelled: {Action: RefireNew},
		ClassMerged:    {Action: RefireLinked},
		ClassDeleted:   {Action: RefireNew},
	}
}

func orElse[T any](given map[string]bool, path string, field *T, value T) {
	if !given[path] {
		*field = value
	}
}

// over returns the defaults with the document's own entries over them.
func over[K comparable, V any](defaults, own map[K]V) map[K]V {
	all := maps.Clone(defaults)
	maps.Copy(all, own)
	return all
}

func notOpen(classes map[string]string) []string {
	var ended []string
	for state, class := range classes {
		if class != ClassOpen {
			ended = append(ended, state)
		}
	}
	slices.Sort(ended)
	return ended
}
