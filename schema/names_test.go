package schema

import (
	"reflect"
	"testing"

	"github.com/usercast-go/usercast/schema/describe"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		what  string
		types []describe.Type
		want  []string
	}{
		{"alone", []describe.Type{{Package: "a.com/x/orders", Name: "Item"}, {Package: "a.com/x/orders", Name: "Order"}}, []string{"Item", "Order"}},
		{"two packages", []describe.Type{{Package: "a.com/x/orders", Name: "Item"}, {Package: "a.com/x/billing", Name: "Item"}, {Package: "a.com/x/billing", Name: "Bill"}},
			[]string{"OrdersItem", "BillingItem", "Bill"}},
		{"two packages of one name", []describe.Type{{Package: "a.com/x/v2", Name: "Item"}, {Package: "a.com/y/v2", Name: "Item"}, {Package: "b.org/y/v2", Name: "Item"}},
			[]string{"XV2Item", "AComYV2Item", "BOrgYV2Item"}},
		{"generic", []describe.Type{{Package: "a.com/x", Name: "Page[a.com/x/orders.Item]"}, {Package: "a.com/x", Name: "Pair[int,map[string]*a.com/x/orders.Item]"}},
			[]string{"PageItem", "PairIntMapStringItem"}},
		{"generic of two packages", []describe.Type{{Package: "a.com/x", Name: "Page[a.com/orders.Item]"}, {Package: "a.com/x", Name: "Page[a.com/billing.Item]"}},
			[]string{"XPageOrdersItem", "XPageBillingItem"}},
		{"capitals only differ", []describe.Type{{Package: "a.com/x", Name: "item"}, {Package: "a.com/x", Name: "Item"}}, []string{"AComXItem", "AComXItem2"}},
		{"local to functions", []describe.Type{{Package: "main", Name: "T"}, {Package: "main", Name: "T"}, {Package: "main", Name: "T"}, {Package: "main", Name: "MainT2"}},
			[]string{"MainT", "MainT3", "MainT4", "MainT2"}},
		{"no ASCII", []describe.Type{{Package: "a.com/x", Name: "注文"}, {Package: "a.com/x", Name: "Größe"}, {Package: "a.com/x", Name: "Ünter1"}}, []string{"Type", "GrE", "Nter1"}},
		{"a path like a name", []describe.Type{{Package: "x/a", Name: "B"}, {Package: "x/c", Name: "B"}, {Package: "x/d", Name: "AB"}}, []string{"XAB", "CB", "DAB"}},
	} {
		if got := names(c.types); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}
