package console_test

import (
	"context"
	"time"

	"github.com/google/uuid"

	"tieline/internal/alert"
	"tieline/internal/ha"
	"tieline/internal/store"
)

// one reads the database unless it is away.
func one[T any](c *breakable, read func() (T, error)) (T, error) {
	if err := c.reach(); err != nil {
		var none T
		return none, err
	}
	return read()
}

func (c *breakable) SearchAlerts(ctx context.Context, q store.AlertQuery) (store.AlertPage, error) {
	return one(c, func() (store.AlertPage, error) { return c.DB.SearchAlerts(ctx, q) })
}

func (c *breakable) Alert(ctx context.Context, id alert.ID) (store.AlertDetail, error) {
	return one(c, func() (store.AlertDetail, error) { return c.DB.Alert(ctx, id) })
}

func (c *breakable) Timeline(ctx context.Context, id uuid.UUID) ([]store.TimelineEvent, error) {
	return one(c, func() ([]store.TimelineEvent, error) { return c.DB.Timeline(ctx, id) })
}

func (c *breakable) Matches(ctx context.Context, id uuid.UUID) ([]store.Match, error) {
	return one(c, func() ([]store.Match, error) { return c.DB.Matches(ctx, id) })
}

func (c *breakable) Parked(ctx context.Context, q store.ParkedQuery) ([]store.ParkedLink, error) {
	return one(c, func() ([]store.ParkedLink, error) { return c.DB.Parked(ctx, q) })
}

func (c *breakable) Tried(ctx context.Context, ids []alert.ID) (map[alert.LinkID]store.TimelineEvent, error) {
	return one(c, func() (map[alert.LinkID]store.TimelineEvent, error) { return c.DB.Tried(ctx, ids) })
}

func (c *breakable) DocumentsOf(ctx context.Context, names []string) ([]store.StoredDocument, error) {
	return one(c, func() ([]store.StoredDocument, error) { return c.DB.DocumentsOf(ctx, names) })
}

func (c *breakable) Group(ctx context.Context) (store.GroupInfo, error) {
	return one(c, func() (store.GroupInfo, error) { return c.DB.Group(ctx) })
}

func (c *breakable) ReadGroup(ctx context.Context) (ha.Group, error) {
	return one(c, func() (ha.Group, error) { return c.DB.ReadGroup(ctx) })
}

func (c *breakable) Documents(ctx context.Context) (docs []store.StoredDocument, generation int64, err error) {
	docs, err = one(c, func() (docs []store.StoredDocument, err error) {
		docs, generation, err = c.DB.Documents(ctx)
		return docs, err
	})
	return docs, generation, err
}

func (c *breakable) DocumentHistory(ctx context.Context, connector string) ([]store.StoredDocument, error) {
	return one(c, func() ([]store.StoredDocument, error) { return c.DB.DocumentHistory(ctx, connector) })
}

func (c *breakable) LatestDraft(ctx context.Context, connector string) (store.Draft, error) {
	return one(c, func() (store.Draft, error) { return c.DB.LatestDraft(ctx, connector) })
}

func (c *breakable) RecentAlerts(ctx context.Context, sources []string, limit int) ([]alert.Alert, error) {
	return one(c, func() ([]alert.Alert, error) { return c.DB.RecentAlerts(ctx, sources, limit) })
}

func (c *breakable) LastAccepted(ctx context.Context, sources []string) (map[string]time.Time, error) {
	return one(c, func() (map[string]time.Time, error) { return c.DB.LastAccepted(ctx, sources) })
}

func (c *breakable) HeardStates(ctx context.Context, connector string, limit int) (map[string]int, error) {
	return one(c, func() (map[string]int, error) { return c.DB.HeardStates(ctx, connector, limit) })
}
