module shop.example

go 1.25

require (
	github.com/jackc/pgx/v5 v5.0.0
	github.com/usercast-go/usercast v0.0.0
)

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
)

replace (
	github.com/jackc/pgx/v5 => ./pgx
	github.com/usercast-go/usercast => ../../../../..
)
