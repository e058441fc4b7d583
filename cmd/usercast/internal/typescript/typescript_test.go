package typescript

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const js = "../../../../js"

func needJS(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(js, "node_modules/typescript")); err != nil {
		t.Fatal("the TypeScript compiler is not installed: run npm ci --prefix js")
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is embedded is what js/typegen and its pinned dependencies make.
func TestBundleIsFresh(t *testing.T) {
	needJS(t)
	if out, err := exec.Command("node", filepath.Join(js, "typegen/build.mjs"), "--check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// tsc compiles files as strictly as it can, in one directory, and returns where it
// found errors: "file.ts:7".
func tsc(t *testing.T, files map[string]string) (found []string, said string) {
	t.Helper()
	needJS(t)
	dir := t.TempDir()
	client, err := filepath.Abs(filepath.Join(js, "src/index.ts"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{"compilerOptions": map[string]any{
		"target": "ES2022", "lib": []string{"ES2022", "DOM"}, "module": "ESNext", "moduleResolution": "Bundler",
		"strict": true, "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true, "noUnusedLocals": true,
		"isolatedModules": true, "verbatimModuleSyntax": true, "allowImportingTsExtensions": true, "noEmit": true,
		"types": []string{}, "paths": map[string][]string{"@usercast/client": {client}},
	}, "include": []string{"*.ts"}})
	if err != nil {
		t.Fatal(err)
	}
	files["tsconfig.json"] = string(config)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compiler, err := filepath.Abs(filepath.Join(js, "node_modules/typescript/bin/tsc"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", compiler, "--pretty", "false", "-p", ".")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^(\S+)\((\d+),\d+\): error`).FindAllStringSubmatch(string(out), -1) {
		if at := m[1] + ":" + m[2]; !slices.Contains(found, at) {
			found = append(found, at)
		}
	}
	if err != nil && len(found) == 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	slices.Sort(found)
	return found, string(out)
}

// shopTypes is the output of the command, which TestTypesGolden holds against the
// file.
func shopTypes(t *testing.T) string {
	t.Helper()
	return read(t, "../../testdata/shop/web/events.gen.ts")
}

func TestUsageCompiles(t *testing.T) {
	if found, said := tsc(t, map[string]string{"events.gen.ts": shopTypes(t), "usage.ts": read(t, "testdata/usage.ts")}); len(found) > 0 {
		t.Errorf("tsc:\n%s", said)
	}
}

func TestMistakesDoNotCompile(t *testing.T) {
	wrong := read(t, "testdata/wrong.ts")
	var want []string
	n := 0
	for line := range strings.Lines(wrong) {
		if n++; strings.Contains(line, "// WRONG") {
			want = append(want, "wrong.ts:"+itoa(n))
		}
	}
	slices.Sort(want)
	found, said := tsc(t, map[string]string{"events.gen.ts": shopTypes(t), "wrong.ts": wrong})
	if len(want) < 20 || !slices.Equal(found, want) {
		t.Errorf("tsc found\n%v\nwant\n%v\n%s", found, want, said)
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// Types that refer to themselves, names that collide or mean something in
// TypeScript, comments that try to end, schemas of a type's own.
func TestAwkwardSchemasCompile(t *testing.T) {
	schemas := map[string]string{
		"shop": read(t, "../../../../schema/testdata/shop.schema.json"),
		"awkward": `{"properties": {
			"a-b": {"$ref": "#/$defs/EventMap", "description": "*/ export const x = 1; /*"}, "a.b": true, "class": false,
			"quoted": {"type": "object", "properties": {"a\"b": {"type": "string"}, "{": {"enum": ["{", "}", "(", "\n"]}, "1": {"type": "number"}}, "required": ["{"]}
		}, "$defs": {
			"EventMap": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/EventMap"}, {"type": "null"}]}}},
			"Record": {"type": "string", "title": "T", "$id": "x"}, "Array": {"type": "array", "items": {"$ref": "#/$defs/Array"}},
			"S3bucket": {"type": "object", "additionalProperties": {"$ref": "#/$defs/S3Bucket"}}, "S3Bucket": {"const": "x"},
			"Long": {"type": "array", "items": {"type": "integer"}, "minItems": 64, "maxItems": 64},
			"Pair": {"description": "Two.\n\n\tcode {\n\tmore }", "type": "array", "items": {"$ref": "#/$defs/Record"}, "minItems": 2, "maxItems": 2},
			"None": {"type": "array", "items": {"type": "integer"}, "minItems": 0, "maxItems": 0},
			"Empty": {"type": "object"}, "Any": {"description": "Any."}, "Never": {"not": true},
			"Both": {"allOf": [{"$ref": "#/$defs/Empty"}, {"type": "object", "properties": {"id": {"type": "string"}, "title": {"type": "string"}, "$id": {"type": "string"}}}]},
			"Deep": {"type": "object", "properties": {"a": {"type": "array", "items": {"anyOf": [{"type": "object", "properties": {"b": {"anyOf": [{"type": "object", "properties": {"c": {"$ref": "#/$defs/Pair"}}}, {"type": "null"}]}}}, {"type": "null"}]}}}}
		}}`,
	}
	files := map[string]string{}
	for name, schema := range schemas {
		in := Input{Schema: json.RawMessage(schema), Header: "// generated", Classes: true}
		var doc struct{ Properties map[string]json.RawMessage }
		if err := json.Unmarshal([]byte(schema), &doc); err != nil {
			t.Fatal(err)
		}
		for event := range doc.Properties {
			in.Events = append(in.Events, Event{Name: event, Class: "buffered"})
		}
		slices.SortFunc(in.Events, func(a, b Event) int { return strings.Compare(a.Name, b.Name) })
		out, err := Generate(t.Context(), "node", in)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Generate(t.Context(), "node", in)
		if err != nil || string(again) != string(out) {
			t.Errorf("%s: the second time it is another: %v\n%s", name, err, again)
		}
		files[name+".ts"] = string(out)
	}
	found, said := tsc(t, files)
	if len(found) > 0 {
		t.Errorf("tsc:\n%s\n%s\n%s", said, files["awkward.ts"], files["shop.ts"])
	}
	for _, want := range []string{
		"\n  \"a-b\": EventMap2;\n", "\nexport interface EventMap2 {\n  next?: EventMap2 | null;\n}\n",
		"\n  \"a.b\": unknown;\n", "\n  class: never;\n", "\nexport type Array = Array[];\n", "\nexport type Record = string;\n",
		"\nexport interface S3Bucket2 {\n  [k: string]: S3Bucket | undefined;\n}\n", "\nexport type Long = number[];\n",
		"\n/**\n * Two.\n *\n * \tcode {\n * \tmore }\n */\nexport type Pair = [Record, Record];\n",
		"\n    \"{\": \"{\" | \"}\" | \"(\" | \"\\n\";\n", "\n      c?: Pair;\n    } | null;\n  } | null)[];\n",
	} {
		if !strings.Contains(files["awkward.ts"], want) {
			t.Errorf("want %q in\n%s", want, files["awkward.ts"])
		}
	}
}

func TestGenerateFails(t *testing.T) {
	in := Input{Schema: json.RawMessage(`{}`)}
	if _, err := Generate(t.Context(), "/no/node", in); !errors.Is(err, ErrNoNode) {
		t.Errorf("got %v, want ErrNoNode", err)
	}
	broken := Input{Schema: json.RawMessage(`{"properties": {"A": {"$ref": "#/$defs/B"}}}`), Events: []Event{{Name: "MISSING"}}}
	if _, err := Generate(t.Context(), "node", broken); err == nil || !strings.Contains(err.Error(), "which was to write TypeScript") {
		t.Errorf("got %v, want the converter's own words", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Generate(ctx, "node", in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	// Node.js that is too old says so. The check is the converter's: it reads a version.
	old := filepath.Join(t.TempDir(), "node")
	script := "#!/bin/sh\nexec node --import 'data:text/javascript,Object.defineProperty(process.versions,\"node\",{value:\"16.1.0\"})' \"$@\"\n"
	if err := os.WriteFile(old, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Generate(t.Context(), old, in); err == nil || !strings.Contains(err.Error(), "this is Node.js 16.1.0, and 18 or newer is needed") {
		t.Errorf("got %v, want that Node.js is too old", err)
	}
}
