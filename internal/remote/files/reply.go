package files

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// reply is one inbox file; doc.go tells its form.
type reply struct {
	XMLName xml.Name   `json:"-" xml:"reply"`
	Key     string     `json:"key" xml:"key"`
	Ticket  string     `json:"ticket" xml:"ticket"`
	State   string     `json:"state" xml:"state"`
	Text    string     `json:"text" xml:"text"`
	Author  string     `json:"author" xml:"author"`
	At      *time.Time `json:"at" xml:"at"`
	Other   []struct { // XML elements that are none of the above
		XMLName xml.Name
	} `json:"-" xml:",any"`
	Attributes []xml.Attr `json:"-" xml:",any,attr"`
}

// Bounds of a reply's texts, in bytes.
const (
	maxName = 200 // key, ticket, state, author
	maxText = 64 << 10
)

// parse reads an inbox file. Its errors tell the file's writer what is wrong;
// they repeat no more of it than a name.
func parse(content []byte) (reply, error) {
	content = bytes.TrimPrefix(content, []byte("\xef\xbb\xbf")) // editors on Windows put it there
	if !utf8.Valid(content) {
		return reply{}, errors.New("the file is not UTF-8")
	}
	var r reply
	var err error
	switch trimmed := bytes.TrimSpace(content); {
	case len(trimmed) == 0:
		return r, errors.New("the file is empty")
	case trimmed[0] == '<':
		err = parseXML(trimmed, &r)
	default:
		err = parseJSON(trimmed, &r)
	}
	if err != nil {
		return reply{}, err
	}
	return r, r.check()
}

func parseJSON(content []byte, r *reply) error {
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return fmt.Errorf("not a reply in JSON: %s", remote.Clean(err.Error()))
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("not a reply in JSON: something follows it; one file holds one reply")
	}
	return nil
}

func parseXML(content []byte, r *reply) error {
	d := xml.NewDecoder(bytes.NewReader(content))
	if err := d.Decode(r); err != nil {
		return fmt.Errorf("not a reply in XML: %s", remote.Clean(err.Error()))
	}
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if _, comment := token.(xml.Comment); err != nil || !comment && !isBlank(token) {
			return errors.New("not a reply in XML: something follows it; one file holds one reply")
		}
	}
	if len(r.Other) > 0 {
		return fmt.Errorf("element %q is not known", remote.Clean(r.Other[0].XMLName.Local))
	}
	for _, a := range r.Attributes {
		if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
			return fmt.Errorf("attribute %q is not known", remote.Clean(a.Name.Local))
		}
	}
	return nil
}

func isBlank(t xml.Token) bool {
	text, ok := t.(xml.CharData)
	return ok && len(bytes.TrimSpace(text)) == 0
}

func (r *reply) check() error {
	for _, f := range []struct {
		name string
		text *string
		most int
	}{
		{"key", &r.Key, maxName}, {"ticket", &r.Ticket, maxName}, {"state", &r.State, maxName},
		{"author", &r.Author, maxName}, {"text", &r.Text, maxText},
	} {
		*f.text = strings.TrimSpace(*f.text)
		if len(*f.text) > f.most {
			return fmt.Errorf("%s is longer than %d bytes", f.name, f.most)
		}
		if strings.ContainsRune(*f.text, 0) {
			return fmt.Errorf("%s has a NUL character", f.name)
		}
	}
	switch {
	case r.Key == "" && r.Ticket == "":
		return errors.New("neither key nor ticket is given")
	case r.State == "" && r.Text == "" && (r.Key == "" || r.Ticket == ""):
		return errors.New("nothing is told: give ticket and key, state, or text")
	}
	return nil
}

func (r *reply) news(id string) alert.News {
	n := alert.News{
		ID: id, Ticket: r.Ticket, Key: alert.Key(r.Key), State: r.State, Text: r.Text, Author: r.Author,
	}
	if r.Key != "" {
		n.Assign = r.Ticket
	}
	if r.At != nil {
		n.At = r.At.UTC()
	}
	return n
}
