package api

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/usercast-go/usercast/examples/orders/events"
	"github.com/usercast-go/usercast/examples/orders/store"
)

// What fields may hold. With these no event of a single row comes near the 64 KiB that a
// hub takes.
const (
	maxName       = 100 // characters
	maxNote       = 500
	maxID         = 64 // bytes
	maxLines      = 50
	maxOrderBytes = 8 << 10 // of all lines: a list of orders is answered from memory
	lineBytes     = 60      // what a line has beside its product, about
	maxQuantity   = 10_000
	maxPriceCents = 10_000_000
	maxRevenue    = 100_000_000_000 // cents
	maxBatch      = 200
	maxImport     = 2_000
	maxDeleted    = store.MaxPending
)

// text trims and checks a text of at most most characters.
func text(field, s string, required bool, most int) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case required && s == "":
		return s, invalid(field, "it is empty", "enter a text")
	case utf8.RuneCountInString(s) > most:
		return s, invalid(field, "it is too long", fmt.Sprintf("use at most %d characters", most))
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		return s, invalid(field, "it has control characters", "leave them out")
	}
	return s, nil
}

// number checks a number's range.
func number(field string, n, least, most int64) error {
	if n < least || n > most {
		return invalid(field, fmt.Sprintf("it is %d", n), fmt.Sprintf("enter a number from %d to %d", least, most))
	}
	return nil
}

// orderInput is what a page says of a pending order.
type orderInput struct {
	CustomerID string             `json:"customerId"`
	Lines      []events.OrderLine `json:"lines"`
	Note       string             `json:"note"`
}

// check returns the order as it is stored. at stands before the names of its fields.
func (in orderInput) check(at string) (out store.PendingInput, err error) {
	if in.CustomerID == "" || !isID(in.CustomerID) {
		return out, invalid(at+"customerId", "it is none", "choose one of your customers")
	}
	if len(in.Lines) == 0 || len(in.Lines) > maxLines {
		return out, invalid(at+"lines", fmt.Sprintf("there are %d", len(in.Lines)), fmt.Sprintf("enter 1 to %d", maxLines))
	}
	out = store.PendingInput{CustomerID: in.CustomerID, Lines: make([]events.OrderLine, 0, len(in.Lines))}
	size := 0
	for i, l := range in.Lines {
		line := fmt.Sprintf("%slines[%d].", at, i)
		if l.Product, err = text(line+"product", l.Product, true, maxName); err != nil {
			return out, err
		}
		if err = number(line+"quantity", int64(l.Quantity), 1, maxQuantity); err != nil {
			return out, err
		}
		if err = number(line+"priceCents", l.PriceCents, 0, maxPriceCents); err != nil {
			return out, err
		}
		if size += len(l.Product) + lineBytes; size > maxOrderBytes {
			return out, invalid(line+"product", "the order is too long", "use shorter names, or write two orders")
		}
		out.Lines = append(out.Lines, l)
	}
	out.Note, err = text(at+"note", in.Note, false, maxNote)
	return out, err
}

// historyInput is what a page says of a record of the history.
type historyInput struct {
	CustomerName string `json:"customerName"`
	Article      string `json:"article"`
	Quantity     int    `json:"quantity"`
	RevenueCents int64  `json:"revenueCents"`
}

// check returns the record as it is stored. at stands before the names of its fields.
func (in historyInput) check(at string) (out store.HistoryInput, err error) {
	if in.CustomerName, err = text(at+"customerName", in.CustomerName, true, maxName); err != nil {
		return out, err
	}
	if in.Article, err = text(at+"article", in.Article, true, maxName); err != nil {
		return out, err
	}
	if err = number(at+"quantity", int64(in.Quantity), 1, maxQuantity); err != nil {
		return out, err
	}
	err = number(at+"revenueCents", in.RevenueCents, 0, maxRevenue)
	return store.HistoryInput(in), err
}

// pathID returns an ID of the path. One that cannot be is one that is not there.
func pathID(r *http.Request, what string) (string, error) {
	id := r.PathValue("id")
	if !isID(id) {
		return "", missing(what)
	}
	return id, nil
}

// isID says whether something may be an ID: PostgreSQL takes no other text.
func isID(id string) bool {
	return len(id) <= maxID && utf8.ValidString(id) && !strings.ContainsRune(id, 0)
}
