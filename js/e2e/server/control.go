package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/usercast-go/usercast"
)

// maxBody bounds a request in bytes: a test fills sockets with some hundred large events.
const maxBody = 64 << 20

// routes mounts the hub and what tests do to it.
func routes(hub *usercast.Hub, seen *journal) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		seen.attempt(r)
		hub.ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /publish", func(w http.ResponseWriter, r *http.Request) { publish(hub, w, r) })
	mux.HandleFunc("POST /disconnect", func(w http.ResponseWriter, r *http.Request) {
		respond(w, hub.Disconnect(r.FormValue("user"), r.FormValue("reason")))
	})
	mux.HandleFunc("GET /cursor", func(w http.ResponseWriter, r *http.Request) {
		respond(w, hub.Cursor(r.FormValue("user")))
	})
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, r *http.Request) {
		respond(w, hub.Connections(r.FormValue("user")))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { respond(w, hub.Stats()) })
	mux.HandleFunc("GET /journal", func(w http.ResponseWriter, _ *http.Request) { respond(w, seen.read()) })
	return mux
}

// An event is a usercast.Event as a test writes it. The class follows from type and key.
type event struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
	Key     string          `json:"key"`
	Except  string          `json:"except"`
}

// publish broadcasts events one after another and answers with their timestamps. A
// request without a user goes to everyone; nobody else may publish to everyone
// meanwhile, for the hub does not tell those timestamps but by its cursor.
func publish(hub *usercast.Hub, w http.ResponseWriter, r *http.Request) {
	var in struct {
		User   string  `json:"user"`
		Events []event `json:"events"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&in); err != nil {
		http.Error(w, "body: "+err.Error(), http.StatusBadRequest)
		return
	}
	stamps := make([]usercast.Timestamp, 0, len(in.Events))
	for i, e := range in.Events {
		ts, err := broadcast(r.Context(), hub, in.User, usercast.Event{Type: e.Type, Payload: e.Payload, Key: e.Key, Except: e.Except})
		if err != nil {
			http.Error(w, fmt.Sprintf("event %d: %v", i, err), http.StatusUnprocessableEntity)
			return
		}
		stamps = append(stamps, ts)
	}
	respond(w, stamps)
}

func broadcast(ctx context.Context, hub *usercast.Hub, user string, e usercast.Event) (usercast.Timestamp, error) {
	if user != "" {
		return hub.BroadcastContext(ctx, user, e)
	}
	err := hub.BroadcastAll(ctx, e)
	return hub.Cursor("nobody").LastGlobalTs, err
}

func respond(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // an error means that the test has gone
}
