package store

import (
	"context"
	"slices"
	"time"

	"github.com/usercast-go/usercast/examples/orders/events"
)

// A Product is something that the ERP sells.
type Product struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Unit string `json:"unit"` // "kg", "bottle 0.75 l"
}

// A Price is what a product costs by a price list.
type Price struct {
	ProductID  string `json:"productId"`
	List       string `json:"list"`
	PriceCents int64  `json:"priceCents"`
}

// UpsertProducts adds products or changes them to what the ERP has, and returns how
// many. The IDs differ from each other.
func UpsertProducts(ctx context.Context, q Querier, user string, rows []Product) (int, error) {
	at := now().UnixMicro()
	return insertMany(ctx, q, `INSERT INTO products (user_name, id, name, unit, updated_at) VALUES`,
		` ON CONFLICT (user_name, id) DO UPDATE SET name = excluded.name, unit = excluded.unit, updated_at = excluded.updated_at`,
		rows, func(p Product) []any { return []any{user, p.ID, p.Name, p.Unit, at} })
}

// UpsertPrices adds prices or changes them to what the ERP has, and returns how many. The
// pairs of product and list differ from each other.
func UpsertPrices(ctx context.Context, q Querier, user string, rows []Price) (int, error) {
	at := now().UnixMicro()
	return insertMany(ctx, q, `INSERT INTO prices (user_name, product_id, list, price_cents, updated_at) VALUES`,
		` ON CONFLICT (user_name, product_id, list) DO UPDATE SET price_cents = excluded.price_cents, updated_at = excluded.updated_at`,
		rows, func(p Price) []any { return []any{user, p.ProductID, p.List, p.PriceCents, at} })
}

// Sync says when something was last synced, and how many rows that were.
type Sync struct {
	SyncType        events.SyncType `json:"syncType"`
	LastCompletedAt *time.Time      `json:"lastCompletedAt"` // nil: never
	Rows            int             `json:"rows"`
}

// SyncState returns the state of each of [events.SyncTypes].
func SyncState(ctx context.Context, q Querier, user string) ([]Sync, error) {
	rows, err := list(ctx, q, func(row scanner) (s Sync, err error) {
		var at int64
		err = row.Scan(&s.SyncType, &at, &s.Rows)
		completed := fromMicros(at)
		s.LastCompletedAt = &completed
		return s, err
	}, `SELECT sync_type, completed_at, row_count FROM syncs WHERE user_name = $1`, user)
	if err != nil {
		return nil, err
	}
	out := make([]Sync, 0, len(events.SyncTypes))
	for _, t := range events.SyncTypes {
		s := Sync{SyncType: t}
		if i := slices.IndexFunc(rows, func(s Sync) bool { return s.SyncType == t }); i >= 0 {
			s = rows[i]
		}
		out = append(out, s)
	}
	return out, nil
}

// SetSyncState says that a sync of so many rows is complete now.
func SetSyncState(ctx context.Context, q Querier, user string, syncType events.SyncType, rows int) error {
	_, err := exec(ctx, q, `INSERT INTO syncs (user_name, sync_type, completed_at, row_count) VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_name, sync_type) DO UPDATE SET completed_at = excluded.completed_at, row_count = excluded.row_count`,
		user, string(syncType), now().UnixMicro(), rows)
	return err
}
