package schema_test

import (
	"fmt"
	"strings"

	"github.com/usercast-go/usercast"
	"github.com/usercast-go/usercast/schema"
)

type Shipment struct {
	OrderID string   `json:"orderId"`
	Parcels []string `json:"parcels"`
	Note    *string  `json:"note,omitempty"`
}

var Shipped = usercast.Define[Shipment]("EXAMPLE_SHIPPED", usercast.Buffered, "An order has left the house.")

func ExampleOf() {
	shipped, _ := usercast.Defined().Lookup(Shipped.Name())
	text, err := schema.Of(usercast.Catalog{shipped})
	if err != nil {
		fmt.Println(err)
		return
	}
	defs, _, _ := strings.Cut(string(text), `  "properties": {
    "EXAMPLE`)
	fmt.Print(defs)
	// Output:
	// {
	//   "$schema": "https://json-schema.org/draft/2020-12/schema",
	//   "$defs": {
	//     "Shipment": {
	//       "properties": {
	//         "orderId": {
	//           "type": "string"
	//         },
	//         "parcels": {
	//           "anyOf": [
	//             {
	//               "items": {
	//                 "type": "string"
	//               },
	//               "type": "array"
	//             },
	//             {
	//               "type": "null"
	//             }
	//           ]
	//         },
	//         "note": {
	//           "type": "string"
	//         }
	//       },
	//       "type": "object",
	//       "required": [
	//         "orderId",
	//         "parcels"
	//       ]
	//     }
	//   },
}

func ExampleAsyncAPI() {
	shipped, _ := usercast.Defined().Lookup(Shipped.Name())
	text, err := schema.AsyncAPI(usercast.Catalog{shipped}, schema.Info{Title: "Shop", Host: "shop.example", TokenParam: "-"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"host"`) || strings.Contains(line, `"const": "EXAMPLE`) {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// "host": "shop.example",
	// "const": "EXAMPLE_SHIPPED"
}
