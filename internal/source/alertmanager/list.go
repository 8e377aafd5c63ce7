package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"tieline/internal/alert"
	"tieline/internal/fault"
	"tieline/internal/source"
)

type lister struct {
	adapter  *Adapter
	client   *source.Client
	receiver string
}

// List implements source.Lister. The incarnation is when Alertmanager started.
func (l *lister) List(ctx context.Context) ([]alert.Observation, string, error) {
	before, err := l.started(ctx)
	if err != nil {
		return nil, "", err
	}
	open, err := l.open(ctx, true)
	if err != nil {
		return nil, "", err
	}
	after, err := l.started(ctx)
	if err != nil {
		return nil, "", err
	}
	if before != after {
		return nil, "", fault.New(fault.Unavailable, "Alertmanager restarted while its alerts were listed")
	}
	return open, after, nil
}

func (l *lister) started(ctx context.Context) (string, error) {
	var status struct {
		Uptime string `json:"uptime"`
	}
	err := l.client.Do(ctx, source.Call{Method: http.MethodGet, Path: "/api/v2/status", Out: &status})
	return status.Uptime, err
}

// announcer is a lister for one receiver alone: what it lists is meant for us.
type announcer struct{ *lister }

// Announced implements source.Announcer.
func (a announcer) Announced(ctx context.Context) ([]alert.Observation, error) {
	return a.open(ctx, false)
}

// open lists the open alerts; muted are those that are silenced, inhibited or
// not looked at yet.
func (l *lister) open(ctx context.Context, muted bool) ([]alert.Observation, error) {
	also := strconv.FormatBool(muted)
	query := url.Values{"active": {"true"}, "silenced": {also}, "inhibited": {also}, "unprocessed": {also}}
	if l.receiver != "" {
		query.Set("receiver", "^"+regexp.QuoteMeta(l.receiver)+"$")
	}
	var text json.RawMessage
	if err := l.client.Do(ctx, source.Call{Method: http.MethodGet, Path: "/api/v2/alerts", Query: query, Out: &text}); err != nil {
		return nil, err
	}
	// The list is asked for, not pushed at us: it is as long as it is.
	body, err := source.ReadBody(text, source.Limits{Bytes: math.MaxInt64, Alerts: math.MaxInt})
	if err != nil {
		return nil, err
	}
	list, err := body.Alerts(body.Root, "")
	if err != nil {
		return nil, err
	}
	observations := make([]alert.Observation, 0, len(list))
	for i, item := range list {
		path := fmt.Sprintf("[%d]", i)
		if object := body.Object(item, path); object != nil {
			o := l.adapter.common(body, object, path)
			o.Status = alert.Open
			observations = append(observations, o)
		}
	}
	if err := body.Err(); err != nil {
		return nil, fmt.Errorf("read the list of alerts: %w", err)
	}
	return observations, nil
}
