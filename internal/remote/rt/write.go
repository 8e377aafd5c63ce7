package rt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// knownFields are the custom fields that a queue's tickets have.
type knownFields struct {
	names []string
	at    time.Time
}

// fieldsLife is how long a queue's custom fields are believed.
const fieldsLife = 5 * time.Minute

// Create implements remote.Adapter. Fields the queue does not know are refused
// before anything is written, so that a retry after the mapping was mended
// makes no second ticket.
func (a *Adapter) Create(ctx context.Context, d alert.Draft) (alert.Ticket, error) {
	w := a.wanted(d)
	if err := a.checkFields(ctx, w); err != nil {
		return alert.Ticket{}, err
	}
	body := map[string]any{
		"Subject": w.subject, "Content": clean(d.Body + "\n\n" + d.Comment), "ContentType": "text/plain", "CustomFields": w.custom,
	}
	for name, value := range w.create {
		body[name] = value
	}
	for name, value := range w.numbers {
		body[name] = value
	}
	if w.state != "" {
		body["Status"] = w.state
	}
	if isNumber(d.RefersTo) {
		body["RefersTo"] = []string{d.RefersTo}
	}
	var made record
	if err := a.send(ctx, "create a ticket", http.MethodPost, "/ticket", "", body, &made); err != nil {
		return alert.Ticket{}, err
	}
	id := made.text("id")
	t, etag, err := a.ticket(ctx, id)
	if err != nil {
		return alert.Ticket{}, afterWrite(err, id)
	}
	if len(w.differs(t)) == 0 {
		return a.shownAs(t), nil
	}
	mended, err := a.mend(ctx, id, w, t, etag)
	if err != nil {
		return a.shownAs(t), a.halfMade(err, t)
	}
	return mended, nil
}

// halfMade is the failure of a create that made a ticket which does not show
// the draft. It is of unknown outcome, so that the ticket is looked up before
// anything is tried again; the update that follows then says that the remote
// refuses. A ticket without its key cannot be looked up: a person must see it.
func (a *Adapter) halfMade(err error, t record) error {
	f := *remote.AsFailure(err)
	f.Class, f.Ticket, f.Connect = remote.Unknown, t.text("id"), false
	if t.customFields()[a.keyField] == "" {
		f.Class = remote.Permanent
		f.Msg += "; the ticket was made without its key"
	}
	return &f
}

// checkFields refuses custom fields that the queue does not have. A queue that
// cannot be read leaves the judgement to Request Tracker's answer.
func (a *Adapter) checkFields(ctx context.Context, w wanted) error {
	queue := w.create["Queue"]
	missing, ok := a.missing(queue, w)
	if ok && len(missing) == 0 {
		return nil
	}
	var q struct {
		Fields []struct {
			Name string `json:"name"`
		} `json:"TicketCustomFields"`
	}
	if _, err := a.get(ctx, "read the queue", "/queue/"+url.PathEscape(queue), nil, &q); err != nil {
		if remote.AsFailure(err).Class == remote.Permanent {
			return nil
		}
		return err
	}
	known := knownFields{at: time.Now()}
	for _, f := range q.Fields {
		known.names = append(known.names, f.Name)
	}
	a.mu.Lock()
	a.known[queue] = known
	a.mu.Unlock()
	if missing, _ = a.missing(queue, w); len(missing) > 0 {
		return remote.Refuse("queue %s has no custom field %s, or it may not be seen; no ticket was made",
			a.client.Text(queue), a.client.Text(strings.Join(missing, ", ")))
	}
	return nil
}

// missing names the wanted custom fields that the queue is not known to have;
// ok is false when its fields have not been read lately.
func (a *Adapter) missing(queue string, w wanted) (names []string, ok bool) {
	a.mu.Lock()
	known, ok := a.known[queue]
	a.mu.Unlock()
	if !ok || time.Since(known.at) > fieldsLife {
		return nil, false
	}
	for name, value := range w.custom {
		if value != "" && !slices.Contains(known.names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, true
}

// afterWrite turns the failure of a read that follows a write into one of the
// write: what is not known to be right must be looked at again.
func afterWrite(err error, ticket string) error {
	f := *remote.AsFailure(err)
	if f.Class == remote.Retry {
		f.Class, f.Connect = remote.Unknown, false
	}
	f.Ticket = ticket
	return &f
}

// afterAsking is the failure of a read between writes, of which so many were
// answered.
func afterAsking(err error, ticket string, asked int) error {
	if asked == 0 {
		return err
	}
	return afterWrite(err, ticket)
}

// notDone is the failure of a write that Request Tracker answered with success.
func notDone(ticket string, fields []string, words string) *remote.Failure {
	return &remote.Failure{
		Class: remote.Permanent,
		Msg: fmt.Sprintf("Request Tracker did not store %s of ticket %s: %s",
			remote.Clean(strings.Join(fields, ", ")), ticket, words),
	}
}

// updateTries is how often an update is tried when people change the ticket at
// the same moment.
const updateTries = 4

// Update implements remote.Adapter.
func (a *Adapter) Update(ctx context.Context, id string, d alert.Draft) (alert.Ticket, error) {
	w := a.wanted(d)
	t, etag, err := a.alive(ctx, id, d.Key)
	if err != nil {
		return alert.Ticket{}, err
	}
	if d.Comment != "" {
		marker := fmt.Sprintf("%s r%d", d.Key, d.Revision)
		if err := a.comment(ctx, t.text("id"), marker, d.Comment); err != nil {
			return alert.Ticket{}, err
		}
		if t, etag, err = a.ticket(ctx, id); err != nil {
			return alert.Ticket{}, afterWrite(err, id)
		}
	}
	return a.mend(ctx, id, w, t, etag)
}

// mend changes what differs, conditional on nobody having changed the ticket
// since it was read. What still differs after it was asked for twice has been
// refused; once may have been somebody else's change in between. A state that was
// set, and then changed by somebody else, is left: that change is theirs, and news.
func (a *Adapter) mend(ctx context.Context, id string, w wanted, t record, etag string) (alert.Ticket, error) {
	asked := 0
	var words []string
	set := w.state
	for range updateTries {
		differs := w.differs(t)
		if len(differs) == 0 {
			return a.shownWith(t, set), nil
		}
		if asked == 2 {
			return a.shownAs(t), notDone(id, differs, a.client.Text(strings.Join(words, "; ")))
		}
		before, err := a.statesBefore(ctx, t, differs)
		if err != nil {
			return alert.Ticket{}, afterAsking(err, id, asked)
		}
		err = a.send(ctx, "update ticket "+id, http.MethodPut, "/ticket/"+id, etag, w.change(differs), &words)
		done := err == nil
		if !done && remote.Status(err) != http.StatusPreconditionFailed {
			return alert.Ticket{}, err
		}
		if t, etag, err = a.ticket(ctx, id); err != nil {
			return alert.Ticket{}, afterWrite(err, id)
		}
		if !done {
			continue
		}
		asked++
		left, err := a.changedSince(ctx, t, w.state, before)
		if err != nil {
			return alert.Ticket{}, afterWrite(err, id)
		}
		if left {
			w.state = ""
		}
	}
	return alert.Ticket{}, &remote.Failure{Class: remote.Retry, Msg: "ticket " + id + " is being changed by others again and again"}
}

// statesBefore returns the number of the ticket's last transaction where its
// state is about to be set. Read after the ticket and before an update that is
// conditional on it, it tells the transactions of that update from earlier ones.
func (a *Adapter) statesBefore(ctx context.Context, t record, differs []string) (int64, error) {
	if !slices.Contains(differs, "Status") {
		return 0, nil
	}
	list, err := a.searchTransactions(ctx, "TicketId = "+t.text("id"), "DESC", 1)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].id, nil
}

// changedSince reports whether somebody else changed the state after our update
// set it: among the ticket's transactions after the given one, ours is followed
// by another's.
func (a *Adapter) changedSince(ctx context.Context, t record, state string, before int64) (bool, error) {
	if state == "" || t.text("Status") == state {
		return false, nil
	}
	myself, err := a.whoAmI(ctx)
	if err != nil {
		return false, err
	}
	query := fmt.Sprintf("TicketId = %s AND Type = 'Status' AND id > %d", t.text("id"), before)
	list, err := a.searchTransactions(ctx, query, "ASC", pageSize)
	if err != nil {
		return false, err
	}
	set := false
	for _, x := range list {
		if x.creator == myself {
			set = x.newValue == state
		} else if set {
			return true, nil
		}
	}
	return false, nil
}

// shownWith is the ticket with the state that we set: what others made of it
// afterwards is told by their news.
func (a *Adapter) shownWith(t record, set string) alert.Ticket {
	shown := a.shownAs(t)
	if set != "" {
		shown.State, shown.Open = set, !slices.Contains(a.ended, set)
	}
	return shown
}

// strange reports whether the ticket was merged into one that is not of its key.
func (a *Adapter) strange(t record, id string, k alert.Key) bool {
	return t.text("id") != id && t.customFields()[a.keyField] != string(k)
}

// Note implements remote.Noter: a comment, once, however often it is told.
func (a *Adapter) Note(ctx context.Context, id string, k alert.Key, n alert.Note) error {
	if !isNumber(id) {
		return remote.Refuse("%q is no ticket number of Request Tracker", a.client.Text(id))
	}
	if _, _, err := a.alive(ctx, id, k); err != nil {
		return err
	}
	return a.comment(ctx, id, fmt.Sprintf("%s n%d", k, n.Seq), n.Text)
}

// comment adds a comment unless one with the same subject, its marker, is there.
func (a *Adapter) comment(ctx context.Context, id, marker, text string) error {
	there, err := a.hasComment(ctx, id, marker)
	if err != nil || there {
		return err
	}
	body := map[string]string{"Subject": marker, "Content": clean(text), "ContentType": "text/plain"}
	err = a.send(ctx, "comment on ticket "+id, http.MethodPost, "/ticket/"+id+"/comment", "", body, nil)
	if err != nil && remote.AsFailure(err).Class == remote.Permanent {
		// Of a ticket that is not there, it says that permission is denied.
		if _, _, missing := a.ticket(ctx, id); errors.Is(missing, remote.ErrGone) {
			return missing
		}
	}
	return err
}

func (a *Adapter) hasComment(ctx context.Context, id, marker string) (bool, error) {
	for n := 1; ; n++ {
		query := url.Values{"fields": {"Subject"}, "per_page": {fmt.Sprint(pageSize)}, "page": {fmt.Sprint(n)}}
		var p page
		_, err := a.get(ctx, "read the comments of ticket "+id, "/ticket/"+id+"/attachments", query, &p)
		if err != nil {
			return false, err
		}
		for _, attachment := range p.Items {
			if attachment.text("Subject") == marker {
				return true, nil
			}
		}
		if len(p.Items) < pageSize {
			return false, nil
		}
	}
}

// Merge implements remote.Merger. Request Tracker answers 200 whatever became
// of a merge, so it is read back.
func (a *Adapter) Merge(ctx context.Context, survivor, twin string) error {
	t, _, err := a.ticket(ctx, survivor)
	if err != nil {
		return err
	}
	into := t.text("id")
	t, _, err = a.ticket(ctx, twin)
	if err != nil || t.text("id") == into {
		return err
	}
	var words []string
	err = a.send(ctx, "merge ticket "+twin, http.MethodPut, "/ticket/"+twin, "", map[string]string{"MergeInto": into}, &words)
	if err != nil {
		return err
	}
	if t, _, err = a.ticket(ctx, twin); err != nil {
		return afterWrite(err, twin)
	}
	if t.text("id") != into {
		return remote.Refuse("Request Tracker did not merge ticket %s into %s: %s", twin, into, a.client.Text(strings.Join(words, "; ")))
	}
	return nil
}
