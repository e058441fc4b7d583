package describe

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A member is a struct field that encoding/json writes.
type member struct {
	name      string
	field     reflect.StructField
	owner     reflect.Type // the struct that declares it
	index     []int
	tagged    bool
	omitEmpty bool
	omitZero  bool
	quoted    bool
	viaNil    bool // reached through an embedded pointer, which may be nil
}

// level is what one round of members looks into: an embedded struct.
type level struct {
	typ    reflect.Type
	index  []int
	viaNil bool
}

// members returns what encoding/json writes of a struct, in its order. The rules
// are those of Go's promotion of fields, with tags: the shallowest field of a name
// wins, among those the tagged one, and if that does not decide, none does.
func members(t reflect.Type) []member {
	var found []member
	next := []level{{typ: t}}
	visited := map[reflect.Type]bool{}
	for len(next) > 0 {
		current := next
		next = nil
		// A struct that is embedded twice at one depth: its fields hide each other.
		times := map[reflect.Type]int{}
		for _, l := range current {
			times[l.typ]++
		}
		for _, l := range current {
			if visited[l.typ] {
				continue
			}
			visited[l.typ] = true
			for i := range l.typ.NumField() {
				m, embedded, ok := memberOf(l, i)
				switch {
				case !ok:
				case embedded != nil:
					next = append(next, *embedded)
				default:
					found = append(found, m)
					if times[l.typ] > 1 {
						found = append(found, m)
					}
				}
			}
		}
	}
	return dominant(found)
}

// memberOf looks at one field: a member, or an embedded struct to look into.
func memberOf(l level, i int) (m member, embedded *level, ok bool) {
	f := l.typ.Field(i)
	bare := f.Type
	if bare.Kind() == reflect.Pointer && bare.Name() == "" {
		bare = bare.Elem()
	}
	if f.Anonymous {
		// An embedded struct of an unexported name has exported fields.
		if !f.IsExported() && bare.Kind() != reflect.Struct {
			return m, nil, false
		}
	} else if !f.IsExported() {
		return m, nil, false
	}
	tag := f.Tag.Get("json")
	if tag == "-" {
		return m, nil, false
	}
	name, options, _ := strings.Cut(tag, ",")
	if !validName(name) {
		name = ""
	}
	index := append(slices.Clone(l.index), i)
	viaNil := l.viaNil
	if name == "" && f.Anonymous && bare.Kind() == reflect.Struct {
		viaNil = viaNil || f.Type.Kind() == reflect.Pointer
		return m, &level{bare, index, viaNil}, true
	}
	m = member{name: name, field: f, owner: l.typ, index: index, tagged: name != "", viaNil: viaNil}
	if name == "" {
		m.name = f.Name
	}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty":
			m.omitEmpty = true
		case "omitzero":
			m.omitZero = true
		case "string":
			m.quoted = quotable(bare.Kind())
		}
	}
	return m, nil, true
}

// dominant leaves one member of each name, or none.
func dominant(found []member) []member {
	slices.SortStableFunc(found, func(a, b member) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		if c := cmp.Compare(len(a.index), len(b.index)); c != 0 {
			return c
		}
		if a.tagged != b.tagged {
			if a.tagged {
				return -1
			}
			return 1
		}
		return slices.Compare(a.index, b.index)
	})
	var kept []member
	for i := 0; i < len(found); {
		first, n := found[i], 1
		for i+n < len(found) && found[i+n].name == first.name {
			n++
		}
		if n == 1 || len(found[i+1].index) != len(first.index) || found[i+1].tagged != first.tagged {
			kept = append(kept, first)
		}
		i += n
	}
	slices.SortFunc(kept, func(a, b member) int { return slices.Compare(a.index, b.index) })
	return kept
}

// validName says whether encoding/json takes a name from a tag.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// quotable says whether the option "string" has a meaning.
func quotable(k reflect.Kind) bool {
	switch k {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64:
		return true
	}
	return isInteger(k)
}

func isInteger(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Uintptr }
