package erp

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	customers = 2000
	orders    = 3000
	products  = 4000
	prices    = 8000

	maxEdits = 10_000
)

// epoch is when the ERP's data was made: it must not depend on when it is read.
var epoch = time.Date(2026, 1, 2, 8, 0, 0, 0, time.UTC)

// A world is the ERP's data: made of the seed, but for what was edited. It is safe for
// concurrent use.
type world struct {
	seed    int64
	maxRows int

	mu        sync.Mutex
	orders    memory[orderEdit]
	customers memory[Customer]
}

// An orderEdit is what was written of an order: all of one that was created, and what is
// not as the seed has it of one of the lists.
type orderEdit struct {
	customerID    string
	totalCents    int64
	note          *string
	sent, deleted bool
}

func newWorld(cfg Config) *world {
	return &world{seed: cfg.Seed, maxRows: cfg.MaxRows, orders: newMemory[orderEdit](maxEdits), customers: newMemory[Customer](maxEdits)}
}

// key tells rows of users apart. User IDs have no NUL byte that could make two the same.
func (r request) key() string { return r.User + "\x00" + r.ID }

// hash makes a number of texts, always the same.
func (w *world) hash(parts ...string) uint64 {
	sum := sha256.Sum256(fmt.Append(nil, w.seed, "\x00", strings.Join(parts, "\x00")))
	return binary.BigEndian.Uint64(sum[:])
}

// createOrder makes the order of a reference, or makes the one that is there anew.
func (w *world) createOrder(r request) (any, error) {
	if err := checkID("reference", r.Reference); err != nil {
		return nil, &failure{http.StatusBadRequest, err.Error()}
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], w.hash("order", r.User, r.Reference))
	r.ID = "N" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders.put(r.key(), orderEdit{customerID: r.CustomerID, totalCents: r.TotalCents, note: &r.Note})
	return map[string]string{"orderId": r.ID}, nil
}

func (w *world) orderNumber(r request) (any, error) {
	return map[string]string{"orderNumber": w.number(r.ID)}, nil
}

func (w *world) number(id string) string {
	return fmt.Sprintf("26/%06d", w.hash("number", id)%1_000_000)
}

func (w *world) editOrder(r request) (any, error) {
	return w.changeOrder(r, func(e *orderEdit) { e.note = &r.Note })
}

func (w *world) deleteOrder(r request) (any, error) {
	return w.changeOrder(r, func(e *orderEdit) { e.deleted = true })
}

func (w *world) sendToVerona(r request) (any, error) {
	return w.changeOrder(r, func(e *orderEdit) { e.sent = true })
}

func (w *world) changeOrder(r request, change func(*orderEdit)) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	edit, _ := w.orders.get(r.key())
	change(&edit)
	w.orders.put(r.key(), edit)
	return struct{}{}, nil
}

func (w *world) updateCustomer(r request) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.customers.put(r.key(), Customer{r.ID, r.Name, r.City, r.Email})
	return struct{}{}, nil
}

// A list is one that can be synced.
type list struct {
	total int
	page  func(request) (any, error)
}

func (w *world) lists() map[string]list {
	return map[string]list{
		"customers": listOf(w, customers, w.customer),
		"orders":    listOf(w, orders, w.order),
		"products":  listOf(w, products, w.product),
		"prices":    listOf(w, prices, w.price),
	}
}

// listOf makes a list of a function that makes row i of a user, if it is not deleted.
func listOf[R any](w *world, total int, row func(user string, i int) (R, bool)) list {
	total = w.bounded(total)
	return list{total, func(r request) (any, error) {
		from := min(r.Offset, total)
		page := Page[R]{Total: total, Next: min(from+r.Limit, total), Rows: []R{}}
		for i := from; i < page.Next; i++ {
			if r, ok := row(r.User, i); ok {
				page.Rows = append(page.Rows, r)
			}
		}
		return page, nil
	}}
}

var (
	firstNames = strings.Fields("Trattoria Osteria Bar Pizzeria Hotel Enoteca Locanda Bistro Caffè Ristorante")
	lastNames  = strings.Fields("Aurora Bellavista Centrale Dante Europa Fontana Giardino Italia Leone Marina Nettuno Olimpia Paradiso Roma Stella Terrazza Vittoria")
	cities     = strings.Fields("Verona Padova Trento Mantova Vicenza Brescia Bolzano Modena Ferrara Udine")
	materials  = strings.Fields("Oak Walnut Steel Linen Glass Copper Marble Ceramic")
	things     = strings.Fields("table chair bowl lamp tray cup shelf bench jar frame")
	units      = strings.Fields("piece box pallet")
)

func pick(words []string, n uint64) string { return words[n%uint64(len(words))] }

func (w *world) customer(user string, i int) (Customer, bool) {
	id := fmt.Sprintf("C%05d", i+1)
	w.mu.Lock()
	edited, ok := w.customers.get(user + "\x00" + id)
	w.mu.Unlock()
	if ok {
		return edited, true
	}
	n := w.hash("customer", id)
	return Customer{id, fmt.Sprintf("%s %s %d", pick(firstNames, n), pick(lastNames, n>>8), i+1), pick(cities, n>>16),
		fmt.Sprintf("info%d@example.com", i+1)}, true
}

func (w *world) order(user string, i int) (Order, bool) {
	id := fmt.Sprintf("E%06d", i+1)
	w.mu.Lock()
	edit, _ := w.orders.get(user + "\x00" + id)
	w.mu.Unlock()
	if edit.deleted {
		return Order{}, false
	}
	n := w.hash("order", id)
	customer, _ := w.customer(user, int(n%uint64(w.bounded(customers))))
	o := Order{ID: id, Number: w.number(id), CustomerID: customer.ID, CustomerName: customer.Name,
		TotalCents: 1000 + int64(n>>20%200_000), Sent: edit.sent || n>>16%4 != 0, UpdatedAt: epoch.Add(time.Duration(i) * time.Hour)}
	if edit.note != nil {
		o.Note = *edit.note
	}
	return o, true
}

// bounded is how long a list is.
func (w *world) bounded(total int) int {
	if w.maxRows > 0 {
		return min(total, w.maxRows)
	}
	return total
}

func (w *world) product(_ string, i int) (Product, bool) {
	id := fmt.Sprintf("P%05d", i+1)
	n := w.hash("product", id)
	return Product{id, fmt.Sprintf("%s %s %d", pick(materials, n), pick(things, n>>8), i+1), pick(units, n>>16)}, true
}

// price has two lists for each product.
func (w *world) price(_ string, i int) (Price, bool) {
	id := fmt.Sprintf("P%05d", i/2+1)
	cents := 200 + int64(w.hash("price", id)%50_000)
	if i%2 == 0 {
		return Price{id, "retail", cents}, true
	}
	return Price{id, "trade", cents * 4 / 5}, true
}
