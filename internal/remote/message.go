package remote

import (
	"encoding/xml"
	"time"

	"tieline/internal/alert"
)

// Message is a draft as systems get it that take the whole of it, in JSON or
// XML: the files adapter's messages and the webhook adapter's default body.
// Equal drafts make equal messages, so that writing one twice is the same.
type Message struct {
	XMLName  xml.Name      `json:"-" xml:"message"`
	Format   int           `json:"format" xml:"format,attr"` // 1
	Kind     string        `json:"kind" xml:"kind,attr"`     // "new", "update" or "note"
	Key      string        `json:"key" xml:"key"`
	Revision int64         `json:"revision,omitempty" xml:"revision,omitempty"`
	Ticket   string        `json:"ticket,omitempty" xml:"ticket,omitempty"`
	Subject  string        `json:"subject,omitempty" xml:"subject,omitempty"`
	Body     string        `json:"body,omitempty" xml:"body,omitempty"`
	Severity string        `json:"severity,omitempty" xml:"severity,omitempty"`
	State    string        `json:"state,omitempty" xml:"state,omitempty"`
	Comment  string        `json:"comment,omitempty" xml:"comment,omitempty"`
	RefersTo string        `json:"refers_to,omitempty" xml:"refers_to,omitempty"`
	Fields   Texts         `json:"fields,omitempty" xml:"fields,omitempty"`
	Note     *MessageNote  `json:"note,omitempty" xml:"note,omitempty"`
	Alert    *MessageAlert `json:"alert,omitempty" xml:"alert,omitempty"`
}

// MessageNote is the note of a message of kind "note".
type MessageNote struct {
	Seq  int64     `json:"seq" xml:"seq,attr"` // order among the key's notes, from 1
	Text string    `json:"text" xml:"text"`
	At   time.Time `json:"at" xml:"at,attr"`
}

// MessageAlert is the alert a message is about, as its source told it.
type MessageAlert struct {
	ID          string     `json:"id" xml:"id,attr"`
	Source      string     `json:"source" xml:"source"`
	SourceKey   string     `json:"source_key" xml:"source_key"`
	Status      string     `json:"status" xml:"status"`
	StartsAt    *time.Time `json:"starts_at,omitempty" xml:"starts_at,omitempty"`
	EndsAt      *time.Time `json:"ends_at,omitempty" xml:"ends_at,omitempty"`
	Severity    string     `json:"severity,omitempty" xml:"severity,omitempty"`
	Summary     string     `json:"summary,omitempty" xml:"summary,omitempty"`
	Description string     `json:"description,omitempty" xml:"description,omitempty"`
	URL         string     `json:"url,omitempty" xml:"url,omitempty"`
	Labels      Texts      `json:"labels,omitempty" xml:"labels,omitempty"`
	Annotations Texts      `json:"annotations,omitempty" xml:"annotations,omitempty"`
}

// Texts is a map of texts that XML writes as <item name="...">...</item>, in
// the order of the names.
type Texts map[string]string

// MarshalXML implements xml.Marshaler.
func (t Texts) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if len(t) == 0 {
		return nil
	}
	type item struct {
		Name string `xml:"name,attr"`
		Text string `xml:",chardata"`
	}
	list := struct {
		Items []item `xml:"item"`
	}{}
	names := make([]string, 0, len(t))
	for name := range t {
		names = append(names, name)
	}
	for _, name := range sorted(names) {
		list.Items = append(list.Items, item{name, t[name]})
	}
	return e.EncodeElement(list, start)
}

// NewMessage returns the message of a draft; kind is "new" or "update".
func NewMessage(kind, ticket string, d alert.Draft) Message {
	m := Message{
		Format: 1, Kind: kind, Key: string(d.Key), Revision: d.Revision, Ticket: ticket,
		Subject: d.Subject, Body: d.Body, Severity: d.Severity, State: d.State,
		Comment: d.Comment, RefersTo: d.RefersTo, Fields: d.Fields,
	}
	if a := d.Alert; a != nil {
		m.Alert = &MessageAlert{
			ID: a.ID.String(), Source: a.Source, SourceKey: a.Key, Status: string(a.Status),
			StartsAt: told(a.StartsAt), EndsAt: told(a.EndsAt),
			Severity: a.Severity, Summary: a.Summary, Description: a.Description, URL: a.URL,
			Labels: a.Labels, Annotations: a.Annotations,
		}
	}
	return m
}

// NewNote returns the message of a note.
func NewNote(ticket string, k alert.Key, n alert.Note) Message {
	return Message{
		Format: 1, Kind: "note", Key: string(k), Ticket: ticket,
		Note: &MessageNote{Seq: n.Seq, Text: n.Text, At: n.At.UTC()},
	}
}

func told(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
