package web_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/usercast-go/usercast/examples/orders/web"
)

func get(t *testing.T, method, path, etag string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	if etag != "" {
		r.Header.Set("If-None-Match", etag)
	}
	w := httptest.NewRecorder()
	web.Handler().ServeHTTP(w, r)
	return w
}

func TestPageAndItsFiles(t *testing.T) {
	page := get(t, "GET", "/", "")
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), `<div id="root">`) {
		t.Fatalf("GET /: got %d %q, want the page", page.Code, page.Body)
	}
	names := regexp.MustCompile(`(?:src|href)="\.(/[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(names) < 2 {
		t.Fatalf("the page names %d files, want its scripts and its styles: %s", len(names), page.Body)
	}
	for _, name := range append(names, []string{"", "/"}) {
		w := get(t, "GET", name[1], "")
		if w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("GET %s: got %d with %d bytes, want 200 and the file", name[1], w.Code, w.Body.Len())
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options":  "nosniff",
			"Cache-Control":           "no-cache",
			"Content-Security-Policy": "script-src 'self';",
		} {
			if got := w.Header().Get(header); !strings.Contains(got, want) {
				t.Errorf("GET %s: %s: got %q, want %q in it", name[1], header, got, want)
			}
		}
		if kind := w.Header().Get("Content-Type"); !strings.HasPrefix(kind, "text/") {
			t.Errorf("GET %s: Content-Type: got %q, want a text's", name[1], kind)
		}
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	etag := get(t, "GET", "/", "").Header().Get("ETag")
	if w := get(t, "GET", "/", etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the same ETag: got %d with %d bytes, want 304 with none", w.Code, w.Body.Len())
	}
	if w := get(t, "GET", "/", `"old"`); w.Code != http.StatusOK {
		t.Errorf("another ETag: got %d, want 200", w.Code)
	}
	if w := get(t, "HEAD", "/", ""); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD: got %d with %d bytes, want 200 with none", w.Code, w.Body.Len())
	}
}

func TestNothingElseIsServed(t *testing.T) {
	for _, path := range []string{"/nothing", "/assets/", "/assets", "/dist/index.html", "/../web.go", "//"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		web.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("GET %s: got %d, want 404", path, w.Code)
		}
	}
	if w := get(t, "POST", "/", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /: got %d, Allow %q, want 405 and GET, HEAD", w.Code, w.Header().Get("Allow"))
	}
}
