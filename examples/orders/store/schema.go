package store

// schema makes the tables. IDs are unique for a user only, as the ERP's are the same for
// all. Money is whole cents, instants are whole microseconds since 1970.
var schema = []string{
	// Whatever there is one of: the key that signs tokens.
	`CREATE TABLE IF NOT EXISTS settings (
		name  TEXT PRIMARY KEY,
		value TEXT NOT NULL
	)`,
	// notification_revision counts the changes of the user's notifications.
	`CREATE TABLE IF NOT EXISTS users (
		name                  TEXT PRIMARY KEY,
		created_at            BIGINT NOT NULL,
		notification_revision BIGINT NOT NULL DEFAULT 0
	)`,
	// id is a hash: who reads the table cannot renew its users' tokens.
	`CREATE TABLE IF NOT EXISTS sessions (
		id         TEXT PRIMARY KEY,
		user_name  TEXT NOT NULL REFERENCES users (name),
		created_at BIGINT NOT NULL,
		expires_at BIGINT NOT NULL
	)`,
	`CREATE INDEX IF NOT EXISTS sessions_of_user ON sessions (user_name, created_at)`,
	`CREATE TABLE IF NOT EXISTS customers (
		user_name  TEXT NOT NULL REFERENCES users (name),
		id         TEXT NOT NULL,
		name       TEXT NOT NULL,
		city       TEXT NOT NULL,
		email      TEXT NOT NULL,
		job_id     TEXT,
		updated_at BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE INDEX IF NOT EXISTS customers_by_name ON customers (user_name, name, id)`,
	// lines is JSON: they are read and written with their order only.
	`CREATE TABLE IF NOT EXISTS pending (
		user_name     TEXT NOT NULL REFERENCES users (name),
		id            TEXT NOT NULL,
		customer_id   TEXT NOT NULL,
		customer_name TEXT NOT NULL,
		lines         TEXT NOT NULL,
		total_cents   BIGINT NOT NULL,
		note          TEXT NOT NULL,
		status        TEXT NOT NULL,
		job_id        TEXT,
		created_at    BIGINT NOT NULL,
		updated_at    BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE TABLE IF NOT EXISTS submitted (
		user_name     TEXT NOT NULL REFERENCES users (name),
		id            TEXT NOT NULL,
		order_number  TEXT,
		customer_id   TEXT NOT NULL,
		customer_name TEXT NOT NULL,
		total_cents   BIGINT NOT NULL,
		note          TEXT NOT NULL,
		status        TEXT NOT NULL,
		job_id        TEXT,
		created_at    BIGINT NOT NULL,
		updated_at    BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE INDEX IF NOT EXISTS submitted_newest ON submitted (user_name, created_at, id)`,
	`CREATE TABLE IF NOT EXISTS history (
		user_name     TEXT NOT NULL REFERENCES users (name),
		id            TEXT NOT NULL,
		customer_name TEXT NOT NULL,
		article       TEXT NOT NULL,
		quantity      BIGINT NOT NULL,
		revenue_cents BIGINT NOT NULL,
		job_id        TEXT,
		created_at    BIGINT NOT NULL,
		updated_at    BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE INDEX IF NOT EXISTS history_newest ON history (user_name, created_at, id)`,
	`CREATE TABLE IF NOT EXISTS notifications (
		user_name  TEXT NOT NULL REFERENCES users (name),
		id         TEXT NOT NULL,
		title      TEXT NOT NULL,
		body       TEXT NOT NULL,
		is_read    INTEGER NOT NULL,
		created_at BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE TABLE IF NOT EXISTS products (
		user_name  TEXT NOT NULL REFERENCES users (name),
		id         TEXT NOT NULL,
		name       TEXT NOT NULL,
		unit       TEXT NOT NULL,
		updated_at BIGINT NOT NULL,
		PRIMARY KEY (user_name, id)
	)`,
	`CREATE TABLE IF NOT EXISTS prices (
		user_name   TEXT NOT NULL REFERENCES users (name),
		product_id  TEXT NOT NULL,
		list        TEXT NOT NULL,
		price_cents BIGINT NOT NULL,
		updated_at  BIGINT NOT NULL,
		PRIMARY KEY (user_name, product_id, list)
	)`,
	`CREATE TABLE IF NOT EXISTS syncs (
		user_name    TEXT NOT NULL REFERENCES users (name),
		sync_type    TEXT NOT NULL,
		completed_at BIGINT NOT NULL,
		row_count    BIGINT NOT NULL,
		PRIMARY KEY (user_name, sync_type)
	)`,
}
