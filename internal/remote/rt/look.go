package rt

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"tieline/internal/alert"
	"tieline/internal/remote"
)

// pageSize is how many items one page of a search holds; Request Tracker
// allows 100 at most.
const pageSize = 100

const ticketFields = "Subject,Status,Priority,FinalPriority,CustomFields"

// keyPrefix begins every key (alert.NewKey).
const keyPrefix = "tl-"

// Look implements remote.Looker. It searches all queues, because people move
// tickets. A merged ticket is no longer found; its survivor is.
func (a *Adapter) Look(ctx context.Context, k alert.Key) ([]alert.Ticket, error) {
	if k == "" {
		return nil, nil
	}
	query := "CF.{" + a.keyField + "} = " + quote(string(k))
	var tickets []alert.Ticket
	after := "0"
	for {
		found, err := a.search(ctx, query+" AND id > "+after)
		if err != nil {
			return nil, err
		}
		for _, t := range found {
			shown := a.shownAs(t)
			after = shown.ID
			if shown.Key == k { // the search does not mind upper and lower case
				tickets = append(tickets, shown)
			}
		}
		if len(found) < pageSize {
			slices.SortFunc(tickets, func(x, y alert.Ticket) int { return cmp.Compare(number(x.ID), number(y.ID)) })
			return tickets, nil
		}
	}
}

func number(id string) int64 {
	n, _ := strconv.ParseInt(id, 10, 64) // ids of Request Tracker are numbers
	return n
}

// search returns one page of tickets in the order of their ids.
func (a *Adapter) search(ctx context.Context, query string) ([]record, error) {
	var p page
	_, err := a.get(ctx, "search tickets", "/tickets", url.Values{
		"query": {query}, "fields": {ticketFields}, "orderby": {"id"}, "order": {"ASC"},
		"per_page": {fmt.Sprint(pageSize)},
	}, &p)
	return p.Items, err
}

// Compare implements remote.Comparer. It compares the subject, the state when
// the draft names one, priorities and custom fields.
func (a *Adapter) Compare(ctx context.Context, id string, d alert.Draft) (alert.Ticket, []string, error) {
	t, _, err := a.alive(ctx, id, d.Key)
	if err != nil {
		return alert.Ticket{}, nil, err
	}
	return a.shownAs(t), a.wanted(d).differs(t), nil
}

// List implements remote.Lister; a page is named by the last id before it.
func (a *Adapter) List(ctx context.Context, after string) ([]alert.Ticket, string, error) {
	if after == "" {
		after = "0"
	}
	if !isNumber(after) {
		return nil, "", remote.Refuse("%q is no page of a listing", a.client.Text(after))
	}
	found, err := a.search(ctx, fmt.Sprintf("CF.{%s} LIKE %s AND id > %s", a.keyField, quote(keyPrefix), after))
	if err != nil {
		return nil, "", err
	}
	tickets, next := make([]alert.Ticket, 0, len(found)), ""
	for _, t := range found {
		shown := a.shownAs(t)
		if len(found) == pageSize {
			next = shown.ID
		}
		if len(shown.Key) >= len(keyPrefix) && shown.Key[:len(keyPrefix)] == keyPrefix {
			tickets = append(tickets, shown)
		}
	}
	return tickets, next, nil
}
