package rt

import (
	"context"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// overlap is how many transaction numbers before the bookmark are read again:
// on databases with several writers a lower number can appear after a higher
// one. A request makes some five transactions, all numbered within its second.
const overlap = 200

// Bounds of what is made news of at a time, so that every poll gets somewhere
// within its deadline, however much there is to read.
const (
	maxRead  = 50 // transactions
	maxWords = 5  // comments of others, whose text is read one by one
	maxSteps = 10 // before a poll returns without any news of our tickets
)

// maxText bounds a comment that is brought back, in bytes.
const maxText = 16 << 10

const newsTypes = "(Type = 'Status' OR Type = 'Comment' OR Type = 'Correspond' OR Type = 'AddLink')"

// bookmark is a position among the transactions: the highest number read, and
// those read in the overlap below it.
type bookmark struct {
	last int64
	seen []int64
}

func parseBookmark(text string) (bookmark, error) {
	head, tail, _ := strings.Cut(text, ":")
	var b bookmark
	var err error
	if b.last, err = strconv.ParseInt(head, 10, 64); err != nil || b.last < 0 {
		return b, remote.Refuse("the bookmark of the news is damaged")
	}
	for part := range strings.SplitSeq(tail, ",") {
		if part == "" {
			continue
		}
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return b, remote.Refuse("the bookmark of the news is damaged")
		}
		b.seen = append(b.seen, n)
	}
	return b, nil
}

func (b bookmark) String() string {
	text := strconv.FormatInt(b.last, 10)
	for i, n := range b.seen {
		text += string(":,"[min(i, 1)]) + strconv.FormatInt(n, 10)
	}
	return text
}

// from is the number after which a poll begins to read.
func (b bookmark) from() int64 { return max(b.last-overlap, 0) }

// with returns the bookmark after transactions were read.
func (b bookmark) with(read []transaction) bookmark {
	next := bookmark{last: b.last}
	for _, t := range read {
		next.last = max(next.last, t.id)
	}
	for _, n := range b.seen {
		if n > next.from() {
			next.seen = append(next.seen, n)
		}
	}
	for _, t := range read {
		if t.id > next.from() {
			next.seen = append(next.seen, t.id)
		}
	}
	slices.Sort(next.seen)
	next.seen = slices.Compact(next.seen)
	return next
}

// transaction is one change of a ticket.
type transaction struct {
	id                       int64
	kind, ticket, creator    string
	field, newValue, created string
}

// News implements remote.Poller.
func (a *Adapter) News(ctx context.Context, mark string) ([]alert.News, string, error) {
	if mark == "" {
		b, err := a.present(ctx)
		return nil, b.String(), err
	}
	b, err := parseBookmark(mark)
	if err != nil {
		return nil, mark, err
	}
	for step := range maxSteps {
		read, err := a.transactions(ctx, b)
		if err == nil && len(read) == 0 {
			break
		}
		var news []alert.News
		if err == nil {
			read = firstOf(read)
			news, err = a.tell(ctx, read)
		}
		if err != nil && step > 0 {
			break // what was read so far need not be read again
		}
		if err != nil {
			return nil, mark, err
		}
		b = b.with(read)
		if len(news) > 0 {
			return news, b.String(), nil
		}
	}
	return nil, b.String(), nil
}

// firstOf returns as many transactions as are worked on at a time.
func firstOf(list []transaction) []transaction {
	words := 0
	for i, t := range list {
		if t.hasWords() {
			words++
		}
		if i == maxRead || words > maxWords {
			return list[:i]
		}
	}
	return list
}

func (t transaction) hasWords() bool { return t.kind == "Comment" || t.kind == "Correspond" }

func (a *Adapter) watched() string {
	queues := make([]string, len(a.queues))
	for i, q := range a.queues {
		queues[i] = "TicketQueue = " + quote(q)
	}
	return "(" + strings.Join(queues, " OR ") + ")"
}

func (a *Adapter) searchTransactions(ctx context.Context, query, order string, count int) ([]transaction, error) {
	var p page
	_, err := a.get(ctx, "read the news", "/transactions", url.Values{
		"query": {query}, "orderby": {"id"}, "order": {order}, "per_page": {fmt.Sprint(count)},
		"fields": {"Type,Creator,Created,ObjectId,Field,NewValue"},
	}, &p)
	if err != nil {
		return nil, err
	}
	list := make([]transaction, 0, len(p.Items))
	for _, t := range p.Items {
		list = append(list, transaction{
			id: number(t.text("id")), kind: t.text("Type"), ticket: t.text("ObjectId"), creator: t.text("Creator"),
			field: t.text("Field"), newValue: t.text("NewValue"), created: t.text("Created"),
		})
	}
	return list, nil
}

// present returns the bookmark that means "from now on": what is there already
// counts as read, also that of the overlap.
func (a *Adapter) present(ctx context.Context) (bookmark, error) {
	list, err := a.searchTransactions(ctx, a.watched(), "DESC", 1)
	if err != nil || len(list) == 0 {
		return bookmark{}, err
	}
	now := bookmark{last: list[0].id}
	for {
		read, err := a.transactions(ctx, now)
		read = slices.DeleteFunc(read, func(t transaction) bool { return t.id > now.last })
		if err != nil || len(read) == 0 {
			return now, err
		}
		now = now.with(read)
	}
}

// transactions returns the next ones after the bookmark, or unread in its
// overlap: those of the first page that has any.
func (a *Adapter) transactions(ctx context.Context, b bookmark) ([]transaction, error) {
	from := b.from()
	for {
		list, err := a.searchTransactions(ctx, fmt.Sprintf("%s AND %s AND id > %d", a.watched(), newsTypes, from), "ASC", pageSize)
		if err != nil {
			return nil, err
		}
		full := len(list) >= pageSize
		for _, t := range list {
			from = max(from, t.id)
		}
		unread := slices.DeleteFunc(list, func(t transaction) bool { return slices.Contains(b.seen, t.id) })
		if len(unread) > 0 || !full {
			return unread, nil
		}
	}
}

// tell makes news of transactions, of tickets that carry a key of ours.
func (a *Adapter) tell(ctx context.Context, list []transaction) ([]alert.News, error) {
	list = slices.DeleteFunc(slices.Clone(list), func(t transaction) bool { return t.kind == "AddLink" && !t.isMerge() })
	myself, err := a.whoAmI(ctx)
	if err != nil {
		return nil, err
	}
	states, err := a.states(ctx, list)
	if err != nil {
		return nil, err
	}
	told := toldStates(list, states, myself)
	var news []alert.News
	for i, t := range list {
		shown, ok := states[t.ticket]
		if !ok {
			continue
		}
		n := alert.News{
			ID: fmt.Sprintf("txn/%d", t.id), Ticket: t.ticket, Key: shown.Key, State: told[i],
			Author: t.creator, Own: myself != "" && t.creator == myself,
		}
		n.At, _ = time.Parse(time.RFC3339, t.created) // for display; zero when odd
		if !n.Own && t.hasWords() {
			if n.Text, err = a.words(ctx, t.id); err != nil {
				return nil, err
			}
		}
		news = append(news, n)
	}
	return news, nil
}

// toldStates returns the state that each transaction's news tells. One that set
// the state tells that one, by its author, and not what others made of it since;
// all others tell the ticket's present state. What has gone again is told where a
// person's later transaction tells what took its place; otherwise, where we did
// that, or what we have not read or read before, it would be heard last and
// stand for the present.
func toldStates(list []transaction, tickets map[string]alert.Ticket, myself string) []string {
	told := make([]string, len(list))
	follows := map[string]bool{} // tickets of which a later transaction of a person tells the state
	for i, t := range slices.Backward(list) {
		present := tickets[t.ticket].State
		own := myself != "" && t.creator == myself
		switch {
		case t.kind != "Status" || present == "merged":
			told[i] = present
		case own, t.newValue == present, follows[t.ticket]:
			told[i] = t.newValue
			follows[t.ticket] = follows[t.ticket] || !own
		}
	}
	return told
}

// isMerge reports whether the transaction ended its ticket in favour of another.
// The survivor gets one too, which names itself.
func (t transaction) isMerge() bool {
	return t.kind == "AddLink" && t.field == "MergedInto" && !strings.HasSuffix(t.newValue, "/ticket/"+t.ticket)
}

// whoAmI returns our user's name at Request Tracker, "" when we never wrote
// anything there, so that nothing can be ours.
func (a *Adapter) whoAmI(ctx context.Context) (string, error) {
	a.mu.Lock()
	name := a.myself
	a.mu.Unlock()
	if name != "" {
		return name, nil
	}
	mine, err := a.searchTransactions(ctx, a.watched()+" AND Creator = '__CurrentUser__'", "DESC", 1)
	if err != nil || len(mine) == 0 {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.myself = mine[0].creator
	return a.myself, nil
}

// states reads the tickets of transactions as they are now: those with keys of
// ours, by the id that the transaction names. Merged and deleted tickets are
// not found by a search and are read one by one. Of a merged one only that is
// told, without a key: its survivor has news of its own.
func (a *Adapter) states(ctx context.Context, list []transaction) (map[string]alert.Ticket, error) {
	var ids []string
	for _, t := range list {
		if isNumber(t.ticket) && !slices.Contains(ids, t.ticket) {
			ids = append(ids, t.ticket)
		}
	}
	shown, merged := map[string]alert.Ticket{}, map[string]alert.Ticket{}
	for chunk := range slices.Chunk(ids, pageSize) {
		found, err := a.search(ctx, "id = "+strings.Join(chunk, " OR id = "))
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			shown[t.text("id")] = a.shownAs(t)
		}
	}
	for _, id := range ids {
		if _, ok := shown[id]; ok {
			continue
		}
		t, _, err := a.ticket(ctx, id)
		switch f := remote.AsFailure(err); {
		case err == nil && t.text("id") != id:
			merged[id] = alert.Ticket{ID: id, State: "merged"}
		case err == nil:
			shown[id] = a.shownAs(t)
		case f.Class != remote.Permanent:
			return nil, err
		}
	}
	for id, t := range shown {
		if !strings.HasPrefix(string(t.Key), keyPrefix) {
			delete(shown, id)
		}
	}
	maps.Copy(shown, merged)
	return shown, nil
}

// words returns the text of a comment or a reply.
func (a *Adapter) words(ctx context.Context, id int64) (string, error) {
	var p page
	query := url.Values{"fields": {"Content,ContentType"}, "per_page": {fmt.Sprint(pageSize)}}
	_, err := a.get(ctx, "read a comment", fmt.Sprintf("/transaction/%d/attachments", id), query, &p)
	if err != nil {
		return "", err
	}
	rich := ""
	for _, attachment := range p.Items {
		switch kind := attachment.text("ContentType"); {
		case strings.HasPrefix(kind, "text/plain"):
			return cut(strings.TrimSpace(attachment.text("Content"))), nil
		case strings.HasPrefix(kind, "text/html") && rich == "":
			rich = plain(attachment.text("Content"))
		}
	}
	return cut(rich), nil
}

var (
	lineEnd = regexp.MustCompile(`(?i)<(br|/p|/div|/li|/tr)[^>]*>`)
	tag     = regexp.MustCompile(`<[^>]*>`)
)

// plain returns the text of HTML, as people write it in a rich text box.
func plain(s string) string {
	s = strings.NewReplacer("\r", "", "\n", " ").Replace(s)
	s = lineEnd.ReplaceAllString(s, "\n")
	return strings.TrimSpace(html.UnescapeString(tag.ReplaceAllString(s, "")))
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
