package usercast_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/coder/websocket"
	"github.com/usercast-go/usercast"
)

// adminToken stands for os.Getenv("USERCAST_ADMIN_TOKEN").
const adminToken = "f27a3d09f4ad1bd0a7fb1d3d2dbf3a52"

// An operator sends an event, and follows a user without being one of their devices.
func ExampleAdmin() {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hub.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.Handle("/ws", hub)
	mux.Handle("/admin/usercast/", http.StripPrefix("/admin/usercast", usercast.Admin(hub, usercast.AdminToken(adminToken))))
	srv := httptest.NewServer(mux)
	defer srv.Close()

	bearer := http.Header{"Authorization": {"Bearer " + adminToken}}
	ws, _, err := websocket.Dial(context.Background(), srv.URL+"/admin/usercast/tail?user=alice", &websocket.DialOptions{HTTPHeader: bearer})
	if err != nil {
		fmt.Println(err)
		return
	}
	tail := device{ws}
	defer ws.CloseNow()
	fmt.Println(tail.read().Type, tail.read().Type)

	body := `{"user": "alice", "type": "ORDER_CREATED", "payload": {"order": 1}}`
	req, _ := http.NewRequest("POST", srv.URL+"/admin/usercast/send", strings.NewReader(body))
	req.Header = bearer
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	got := tail.read()
	fmt.Println(resp.StatusCode, got.Type, got.Payload)
	// Output:
	// hub.hello hub.live
	// 200 ORDER_CREATED map[order:1]
}

// A request without the token gets nowhere, and a token that is too short does not
// even get the program started.
func ExampleAdminToken() {
	hub, err := usercast.New(usercast.Config{Auth: sessions, Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer hub.Shutdown(context.Background())
	srv := httptest.NewServer(usercast.Admin(hub, usercast.AdminToken(adminToken)))
	defer srv.Close()

	resp, err := http.Get(srv.URL + "/stats")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Printf("%d %s", resp.StatusCode, body)

	defer func() { fmt.Println(recover()) }()
	usercast.AdminToken("secret")
	// Output:
	// 401 {"error":"token missing"}
	// usercast: AdminToken: the token has 6 bytes, want 32 to 8192 of random text
}
