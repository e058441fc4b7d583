// Package dbtest proves package emit on real databases: SQLite by modernc.org/sqlite,
// and PostgreSQL by pgx, through database/sql and without it. It is a module of its
// own, so that nobody who uses emit depends on a driver, and has tests only; package
// pgtest beside it starts the PostgreSQL server that they need.
package dbtest
