module github.com/usercast-go/usercast/examples/orders

go 1.26.0

require github.com/usercast-go/usercast v0.0.0

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
)

replace github.com/usercast-go/usercast => ../..
