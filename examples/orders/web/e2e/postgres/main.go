// Command postgres starts a PostgreSQL server for the end-to-end tests, and makes a
// database for each line of its standard input: it answers with the database's URL, in a
// line of its own. When its standard input ends, the server is stopped and all is gone.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/usercast-go/usercast/emit/dbtest/pgtest"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	cluster, err := pgtest.Start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := cluster.Stop(); err == nil {
			err = stopErr
		}
	}()
	conn, err := pgx.Connect(ctx, cluster.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		name := in.Text()
		// template0 has no connections, ever, so that nobody's stands in the way.
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0"); err != nil {
			return err
		}
		fmt.Println(address(conn.Config(), name))
	}
	return nil
}

// address returns the URL of a database, for -dsn.
func address(c *pgx.ConnConfig, name string) string {
	query := url.Values{"host": {c.Host}, "user": {c.User}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: query.Encode()}).String()
}
