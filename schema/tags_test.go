package schema

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

type mood string

type temper struct{ N int }

func (temper) MarshalJSON() ([]byte, error) { return []byte("1"), nil }
func (temper) JSONSchema() any {
	return map[string]any{"type": "integer", "multipleOf": 1, "description": "own"}
}

type tagged struct {
	Enum      string         `jsonschema:"enum=a,enum=b"`
	Named     mood           `jsonschema:"enum=a,enum=b"`
	Described mood           `jsonschema:"description=how it is\\, today" jsonschema_extras:"x-unit=none"`
	Null      *mood          `jsonschema:"enum=a,description=maybe"`
	Ints      []int          `jsonschema:"enum=1,enum=2,minItems=1"`
	Moods     []mood         `json:",omitempty" jsonschema:"enum=a"`
	Nulls     []*mood        `json:",omitempty" jsonschema:"enum=a"`
	Structs   []struct{}     `json:",omitempty" jsonschema:"maxItems=3"`
	Map       map[string]int `json:",omitempty" jsonschema:"title=T,description=D"`
	Unsigned  uint           `jsonschema:"maximum=7,default=3,example=4"`
	When      time.Time      `jsonschema:"description=D"`
	Blob      []byte         `json:",omitempty" jsonschema:"maxLength=8"`
	Hidden    int            `jsonschema:"-"`
	Quoted    int            `json:",string" jsonschema:"pattern=^1"`
	Own       temper         `jsonschema:"description=D"`
	OwnMore   temper         `jsonschema:"title=T,type=integer"`
	Either    any            `jsonschema:"oneof_type=string;integer"`
	Text      string         `jsonschema_description:"from its own key"`
}

func TestTags(t *testing.T) {
	text, err := Of(define(reflect.TypeFor[tagged]()))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Properties struct {
			Event struct {
				Ref string `json:"$ref"`
			} `json:"EVENT"`
		}
		Defs map[string]struct {
			Properties map[string]json.RawMessage
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{
		"Enum":      `{"type":"string","enum":["a","b"]}`,
		"Named":     `{"type":"string","enum":["a","b"]}`,
		"Described": `{"$ref":"#/$defs/Mood","description":"how it is, today","x-unit":"none"}`,
		"Null":      `{"anyOf":[{"type":"string","enum":["a"]},{"type":"null"}],"description":"maybe"}`,
		"Ints":      `{"anyOf":[{"items":{"type":"integer","enum":[1,2]},"type":"array","minItems":1},{"type":"null"}]}`,
		"Moods":     `{"items":{"type":"string","enum":["a"]},"type":"array"}`,
		"Nulls":     `{"items":{"anyOf":[{"type":"string","enum":["a"]},{"type":"null"}]},"type":"array"}`,
		"Structs":   `{"items":{"type":"object"},"type":"array","maxItems":3}`,
		"Map":       `{"additionalProperties":{"type":"integer"},"type":"object","title":"T","description":"D"}`,
		"Unsigned":  `{"type":"integer","maximum":7,"minimum":0,"default":3,"examples":[4]}`,
		"When":      `{"type":"string","format":"date-time","description":"D"}`,
		"Blob":      `{"type":"string","maxLength":8,"contentEncoding":"base64"}`,
		"Hidden":    `{"type":"integer"}`,
		"Quoted":    `{"type":"string","pattern":"^1"}`,
		"Own":       `{"$ref":"#/$defs/Temper","description":"D"}`,
		"OwnMore":   `{"$ref":"#/$defs/Temper","type":"integer","title":"T"}`,
		"Either":    `{"oneOf":[{"type":"string"},{"type":"integer"}]}`,
		"Text":      `{"type":"string","description":"from its own key"}`,
	} {
		var got any
		if err := json.Unmarshal(doc.Defs["Tagged"].Properties[field], &got); err != nil {
			t.Errorf("%s: %v in\n%s", field, err, text)
			continue
		}
		var wanted any
		if err := json.Unmarshal([]byte(want), &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			again, _ := json.Marshal(got)
			t.Errorf("%s:\n got %s\nwant %s", field, again, want)
		}
	}
}
