package schema

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/usercast-go/usercast"
)

// AsyncAPI's own parser accepts the documents, without a warning.
func TestParserAccepts(t *testing.T) {
	if _, err := os.Stat("parsercheck/node_modules/@asyncapi/parser"); err != nil {
		t.Fatal("AsyncAPI's parser is not installed: run npm ci --prefix schema/parsercheck")
	}
	awkward := usercast.Catalog{}
	for _, typ := range append(leaves, reflect.TypeFor[map[int][]*Outer]()) {
		d := define(typ)[0]
		d.Name = "a/" + typ.String()
		awkward = append(awkward, d)
	}
	dir := t.TempDir()
	args := []string{"parsercheck/check.mjs"}
	for name, catalog := range map[string]usercast.Catalog{"shop": shopEvents(), "empty": nil, "awkward": awkward} {
		text, err := AsyncAPI(catalog, Info{Insecure: name == "empty", Cookie: "session"})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, name+".json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	said, err := exec.Command("node", args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	if !strings.Contains(string(said), "shop.json: AsyncAPI 3.0.0: sends 12: ") || !strings.Contains(string(said), "empty.json: AsyncAPI 3.0.0: sends 5: ") {
		t.Errorf("got\n%s", said)
	}
}

// The check itself sees what is wrong.
func TestParserCheckSeesFaults(t *testing.T) {
	text, err := os.ReadFile("testdata/shop.asyncapi.json")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "broken.json")
	broken := strings.Replace(string(text), "#/channels/user/messages/TREE", "#/channels/user/messages/BUSH", 1)
	if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("node", "parsercheck/check.mjs", file).CombinedOutput(); err == nil || !strings.Contains(string(said), "BUSH") {
		t.Errorf("a reference to nothing passed: %v\n%s", err, said)
	}
}
