package schema

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema/describe"
	_ "github.com/usercast-go/usercast/schema/internal/shop/orders"
)

var update = flag.Bool("update", false, "write testdata anew")

// shopEvents are the test application's: examples define some, too.
func shopEvents() (events usercast.Catalog) {
	for _, d := range usercast.Defined() {
		if strings.Contains(d.Source, "/shop/orders/") {
			events = append(events, d)
		}
	}
	return events
}

// shop is the test application as a tool sees it: described in another program,
// with the comments of its source.
func shop(t *testing.T) *describe.Description {
	t.Helper()
	d, err := describe.Of(shopEvents())
	if err != nil {
		t.Fatal(err)
	}
	d.AddComments(func(pkg string) []string {
		const here = "github.com/usercast-go/usercast/schema/"
		if len(pkg) < len(here) || pkg[:len(here)] != here {
			return nil
		}
		files, _ := filepath.Glob(pkg[len(here):] + "/*.go")
		return files
	})
	return d
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: go test -update would change it; got:\n%s", file, got)
	}
}

func TestGolden(t *testing.T) {
	text, err := FromDescription(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "shop.schema.json", text)
}

func TestGoldenAsyncAPI(t *testing.T) {
	d := shop(t)
	text, err := AsyncAPIFromDescription(d, Info{Title: "Shop", Version: "2.1.0", Host: "shop.example", Cookie: "session", Description: "Events of a *shop*."})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "shop.asyncapi.json", text)
}
