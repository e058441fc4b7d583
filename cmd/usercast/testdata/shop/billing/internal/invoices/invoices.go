// Package invoices is internal to billing.
package invoices

import "github.com/usercast-go/usercast"

// Invoice is sent.
type Invoice struct{ Number int }

// Sent is an event.
var Sent = usercast.Define[Invoice]("INVOICE_SENT", usercast.Buffered)
