package alerts

import (
	"cmp"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	briefTheirs = 160 // runes of the other side's own message
	briefOurs   = 320 // runes of what stands before it
)

// Brief says in a line what a text about a failure says: our own words, with the
// status; and of what the other side answered its own short message, which is the
// title of a page, the message of a JSON document or the first line, cut at a word.
// It returns the text itself, without a final stop, where that is such a line.
func Brief(text string) string {
	text = sentence(strings.TrimSpace(text))
	ours, theirs := apart(text)
	ours = firstLine(ours)
	message := cut(messageOfAnswer(theirs), briefTheirs)
	switch {
	case message == "", strings.HasSuffix(strings.ToLower(ours), strings.ToLower(message)):
		return cut(ours, briefOurs) // the status says as much
	default:
		return cut(ours, briefOurs) + ": " + message
	}
}

// Whole is a text that its brief leaves something out of; "" = the brief says all.
func Whole(text string) string {
	if Brief(text) == sentence(strings.TrimSpace(text)) {
		return ""
	}
	return text
}

var (
	// answeredText is how the clients of remote systems and sources tell of an answer
	// they could not use: with its status, and then what it was.
	answeredText = regexp.MustCompile(`(?s)^(.*?\banswered [1-5][0-9][0-9][^:<{\[]*): (.+)$`)
	markupBegins = regexp.MustCompile(`(?i)<(!doctype|html|head|body|\?xml|soap)`)
	jsonBegins   = regexp.MustCompile(`: [{\[]\s*\\?"`)
)

// apart tells our own words from what the other side answered; theirs is "" where
// there is no answer to be told apart.
func apart(text string) (ours, theirs string) {
	if found := answeredText.FindStringSubmatch(text); found != nil {
		return found[1], found[2]
	}
	for _, begins := range []*regexp.Regexp{markupBegins, jsonBegins} {
		if at := begins.FindStringIndex(text); at != nil {
			return cmp.Or(strings.TrimRight(text[:at[0]], ": \n"), "it answered"), strings.TrimLeft(text[at[0]:], ": ")
		}
	}
	return text, ""
}

// messageOfAnswer is the other side's own short message; "" = it has none.
func messageOfAnswer(answer string) string {
	answer = strings.TrimSpace(answer)
	switch {
	case answer == "":
		return ""
	case strings.HasPrefix(answer, "<"):
		return messageOfMarkup(answer)
	case answer[0] == '{', answer[0] == '[':
		return messageOfJSON(answer)
	default:
		return firstLine(answer)
	}
}

var (
	markupTitle = regexp.MustCompile(`(?is)<(?:title|h1|faultstring|message)\b[^>]*>(.*?)(?:</|$)`)
	markupBlind = regexp.MustCompile(`(?is)<(script|style)\b.*?(</(script|style)>|$)|<!--.*?(-->|$)`)
	markupTag   = regexp.MustCompile(`<[^>]*(>|$)`)
)

// messageOfMarkup is a page's title, or its first words.
func messageOfMarkup(page string) string {
	page = markupBlind.ReplaceAllString(page, " ")
	for _, found := range markupTitle.FindAllStringSubmatch(page, -1) {
		if title := plain(found[1]); title != "" {
			return title
		}
	}
	return plain(page)
}

// plain is what a piece of markup says, in one line.
func plain(markup string) string {
	return firstLine(strings.Join(strings.Fields(html.UnescapeString(markupTag.ReplaceAllString(markup, " "))), " "))
}

// saying are the members in which JSON documents say what is wrong, the most
// telling first.
var saying = []string{"message", "error_description", "detail", "error", "errors", "errorMessages", "title", "reason", "description", "msg"}

// sayingMembers find them in a document that was cut.
var sayingMembers = func() (all []*regexp.Regexp) {
	for _, name := range saying {
		all = append(all, regexp.MustCompile(`(?i)"`+name+`"\s*:\s*"((?:[^"\\]|\\.)+)`))
	}
	return all
}()

// messageOfJSON is what a document says, also where it was cut in the middle or
// its quotes were escaped once more.
func messageOfJSON(text string) string {
	for _, text := range []string{text, strings.ReplaceAll(text, `\"`, `"`)} {
		var document any
		if json.Unmarshal([]byte(text), &document) == nil {
			return firstLine(said(document))
		}
		for _, member := range sayingMembers {
			if found := member.FindStringSubmatch(text); found != nil {
				return firstLine(cmp.Or(unquoted(found[1]), found[1]))
			}
		}
	}
	return ""
}

// unquoted is a JSON text without its quotes; "" = it is none.
func unquoted(text string) (value string) {
	_ = json.Unmarshal([]byte(`"`+text+`"`), &value)
	return value
}

// said is the first text that a value says by one of those members, or as a text
// of a list; "" = it says none.
func said(value any) string {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v)
	case []any:
		for _, item := range v {
			if text := said(item); text != "" {
				return text
			}
		}
	case map[string]any:
		for _, name := range saying {
			if text := said(v[name]); text != "" {
				return text
			}
		}
	}
	return ""
}

// firstLine is the first line of a text that has something in it, without what
// cannot be seen, and without a final stop.
func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			return sentence(line)
		}
	}
	return ""
}

// cut shortens a text to so many runes, at the end of a word where there is one
// near.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	short := string([]rune(text)[:most])
	if at := strings.LastIndexByte(short, ' '); at > len(short)/2 {
		short = short[:at]
	}
	return strings.TrimRight(short, " ,;:.…") + "…"
}
