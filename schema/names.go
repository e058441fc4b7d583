package schema

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/usercast-go/usercast/schema/describe"
)

// names gives each type a name that is its own: the Go name where that suffices,
// with as much of the import path before it as it takes where it does not
// (orders.Item and billing.Item become OrdersItem and BillingItem), and a number
// where nothing else helps. The names are ASCII letters and digits and begin with a
// capital, so they can stand in a URL and in any language that is generated from them.
func names(types []describe.Type) []string {
	depth := make([]int, len(types)) // how many elements of the path are used
	result := make([]string, len(types))
	for {
		users := map[string][]int{}
		for i, t := range types {
			result[i] = nameAt(t, depth[i])
			users[result[i]] = append(users[result[i]], i)
		}
		deeper := false
		for _, same := range users {
			for _, i := range same {
				if len(same) > 1 && depth[i] <= strings.Count(types[i].Package+types[i].Name, "/") {
					depth[i]++
					deeper = true
				}
			}
		}
		if !deeper {
			return numbered(result)
		}
	}
}

// numbered tells apart what is still the same: types that are local to functions.
func numbered(result []string) []string {
	used := map[string]bool{}
	for _, name := range result {
		used[name] = true
	}
	seen := map[string]bool{}
	for i, name := range result {
		for n := 2; seen[result[i]]; n++ {
			if next := name + strconv.Itoa(n); !used[next] {
				result[i] = next
			}
		}
		seen[result[i]], used[result[i]] = true, true
	}
	return result
}

// nameAt is a type's name with so many elements of the import path. Type arguments
// are treated as the type itself: "Page[example.com/orders.Item]" is PageItem at
// depth 0.
func nameAt(t describe.Type, depth int) string {
	name, args, _ := strings.Cut(t.Name, "[")
	var b strings.Builder
	b.WriteString(qualified(t.Package, name, depth))
	// What is left are type expressions; only their words matter.
	words := strings.FieldsFunc(args, func(r rune) bool { return strings.ContainsRune("[],*{}();\" ", r) })
	for _, word := range words {
		dot := strings.LastIndexByte(word, '.')
		b.WriteString(qualified(word[:max(dot, 0)], word[dot+1:], depth))
	}
	if s := b.String(); s != "" && !unicode.IsDigit(rune(s[0])) {
		return s
	}
	return "Type" + b.String()
}

func qualified(path, name string, depth int) string {
	var b strings.Builder
	if path != "" {
		elems := strings.Split(path, "/")
		for _, elem := range elems[max(len(elems)-depth, 0):] {
			b.WriteString(camel(elem))
		}
	}
	b.WriteString(camel(name))
	return b.String()
}

// camel keeps ASCII letters and digits, with a capital after whatever is left out.
func camel(s string) string {
	var b strings.Builder
	up := true
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z' && up:
			b.WriteRune(r - 'a' + 'A')
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			b.WriteRune(r)
		default:
			up = true
			continue
		}
		up = false
	}
	return b.String()
}
