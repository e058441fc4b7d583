package erp

import "time"

// MaxPage is how many rows a page has at most.
const MaxPage = 500

// Customer is a customer as the ERP has it.
type Customer struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	City  string `json:"city"`
	Email string `json:"email"`
}

// Order is an order as the ERP has it.
type Order struct {
	ID           string    `json:"id"`
	Number       string    `json:"number"`
	CustomerID   string    `json:"customerId"`
	CustomerName string    `json:"customerName"`
	TotalCents   int64     `json:"totalCents"`
	Note         string    `json:"note"`
	Sent         bool      `json:"sent"` // to Verona
	UpdatedAt    time.Time `json:"updatedAt"`
}

// Product is something to be sold.
type Product struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Unit string `json:"unit"`
}

// Price is what a product costs by one of the price lists.
type Price struct {
	ProductID  string `json:"productId"`
	List       string `json:"list"`
	PriceCents int64  `json:"priceCents"`
}

// Page is a part of a list.
type Page[R any] struct {
	Total int `json:"total"` // rows of the whole list
	Next  int `json:"next"`  // the offset of the page that follows; Total after the last
	Rows  []R `json:"rows"`  // fewer than were asked for where rows are deleted
}
