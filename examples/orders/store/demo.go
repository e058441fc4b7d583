package store

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/usercast-go/usercast/examples/orders/events"
)

// How much a new user of the demo finds.
const (
	demoCustomers = 25
	demoPending   = 12
	demoSubmitted = 8
	demoSent      = 3 // of the submitted orders
	demoHistory   = 60
)

// An article is something that a supplier of hotels and restaurants sells.
type article struct {
	name  string
	cents int64
	most  int // that one orders of it
}

var articles = []article{
	{"Bistro table, oak, 70 × 70 cm", 24_900, 12},
	{"Garden chair Merano, steel", 11_500, 40},
	{"Bar stool Brennero, walnut", 18_900, 12},
	{"Burgundy glass 0.6 l, box of 6", 5_940, 20},
	{"Riesling glass 0.35 l, box of 6", 4_620, 20},
	{"Espresso cup, porcelain, box of 12", 7_080, 15},
	{"Pasta plate 29 cm, box of 6", 6_540, 24},
	{"Table linen 130 × 130 cm, white", 2_990, 60},
	{"Linen napkin 50 × 50 cm, pack of 25", 8_750, 30},
	{"Copper casserole 24 cm", 13_900, 8},
	{"Cast iron pan 28 cm", 6_450, 10},
	{"Chafing dish GN 1/1", 15_900, 6},
	{"Pepper mill, beech, 30 cm", 3_480, 20},
	{"Bread basket, wicker, pack of 10", 4_200, 12},
	{"Water carafe 1 l, box of 6", 5_340, 18},
	{"Candle holder, brass", 1_990, 50},
	{"Menu board, slate, 60 × 80 cm", 7_900, 6},
	{"Serving tray, walnut, 45 cm", 3_950, 15},
	{"Wine cooler, stainless steel", 5_790, 10},
	{"Dumpling steamer, bamboo, 30 cm", 2_780, 10},
}

var (
	houses = []string{"Hotel %s", "Gasthof %s", "Trattoria %s", "Ristorante %s", "Pension %s", "Enoteca %s", "Osteria %s", "Café %s"}
	names  = []string{"Zur Post", "Goldener Adler", "Weisses Rössl", "Stella Alpina", "Da Gino", "Edelweiss", "Al Ponte", "Krone",
		"Bella Vista", "Alte Mühle", "Ai Portici", "Lindenhof", "La Quercia", "Sonnblick", "Due Torri", "Bergland"}
	towns = []string{"Bolzano", "Merano", "Bressanone", "Brunico", "Trento", "Rovereto", "Verona", "Vicenza", "Innsbruck", "Lienz", "Kufstein", "Villach", "Salzburg"}
	notes = []string{"", "", "", "Deliver before 10 a.m.", "Ring at the back entrance", "Colour as last time", "For the opening in spring", "Please call before delivery", "Partial delivery is fine"}
)

// AddDemoData gives a new user something to look at: 25 customers, 12 pending and 8
// submitted orders, 60 records of the past and 2 notifications. The same seed and name
// give the same, but for IDs and instants.
func AddDemoData(ctx context.Context, q Querier, user string, seed int64) error {
	h := fnv.New64a()
	h.Write([]byte(user))
	d := &demo{Rand: rand.New(rand.NewPCG(uint64(seed), h.Sum64())), user: user, at: now()}
	d.makeCustomers()
	if _, err := UpsertCustomers(ctx, q, user, d.customers); err != nil {
		return err
	}
	for _, add := range []func(context.Context, Querier) error{d.addPending, d.addSubmitted, d.addHistory} {
		if err := add(ctx, q); err != nil {
			return err
		}
	}
	for _, n := range [][2]string{
		{"Welcome, " + user, "Open this page on a second device as " + user + ": whatever you do here shows there."},
		{"Price list 2026", "New prices are in the ERP. Start a sync of prices to have them here."},
	} {
		if _, err := AddNotification(ctx, q, user, n[0], n[1]); err != nil {
			return err
		}
	}
	return nil
}

// demo makes one user's demo data.
type demo struct {
	*rand.Rand
	user      string
	at        time.Time
	customers []events.Customer
}

// ago is an instant of the last days, whole minutes before now.
func (d *demo) ago(days int) int64 {
	return d.at.Add(-time.Duration(1+d.IntN(days*24*60)) * time.Minute).UnixMicro()
}

func pick[T any](d *demo, from []T) T { return from[d.IntN(len(from))] }

func (d *demo) makeCustomers() {
	// A shuffle of all pairs, so that no two customers have the same name.
	for i, n := range d.Perm(len(houses) * len(names))[:demoCustomers] {
		name := fmt.Sprintf(houses[n%len(houses)], names[n/len(houses)])
		city := pick(d, towns)
		host := strings.NewReplacer(" ", "-", "é", "e", "ö", "oe", "ü", "ue").Replace(strings.ToLower(name + " " + city))
		d.customers = append(d.customers, events.Customer{ID: fmt.Sprintf("K%05d", 10_001+i), Name: name, City: city, Email: "info@" + host + ".example"})
	}
}

func (d *demo) lines() []events.OrderLine {
	var out []events.OrderLine
	for _, i := range d.Perm(len(articles))[:1+d.IntN(4)] {
		out = append(out, events.OrderLine{Product: articles[i].name, Quantity: 1 + d.IntN(articles[i].most), PriceCents: articles[i].cents})
	}
	return out
}

func (d *demo) addPending(ctx context.Context, q Querier) error {
	var rows [][]any
	for range demoPending {
		customer, lines, at := pick(d, d.customers), d.lines(), d.ago(2)
		text, err := json.Marshal(lines)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		rows = append(rows, []any{d.user, NewID(), customer.ID, customer.Name, string(text), total(lines), pick(d, notes), string(events.PendingOpen), at, at})
	}
	_, err := insertMany(ctx, q, `INSERT INTO pending
		(user_name, id, customer_id, customer_name, lines, total_cents, note, status, created_at, updated_at) VALUES`, ``, rows, asTheyAre)
	return err
}

func (d *demo) addSubmitted(ctx context.Context, q Querier) error {
	var rows [][]any
	for i := range demoSubmitted {
		customer, status, at := pick(d, d.customers), events.OrderSubmitted, d.ago(14)
		if i < demoSent {
			status = events.OrderSent
		}
		rows = append(rows, []any{d.user, "D" + NewID(), fmt.Sprintf("25/%06d", d.IntN(1_000_000)), customer.ID, customer.Name, total(d.lines()), pick(d, notes), string(status), at, at})
	}
	_, err := insertMany(ctx, q, `INSERT INTO submitted
		(user_name, id, order_number, customer_id, customer_name, total_cents, note, status, created_at, updated_at) VALUES`, ``, rows, asTheyAre)
	return err
}

func (d *demo) addHistory(ctx context.Context, q Querier) error {
	var rows [][]any
	for range demoHistory {
		a, at := pick(d, articles), d.ago(365)
		n := 1 + d.IntN(a.most)
		rows = append(rows, []any{d.user, NewID(), pick(d, d.customers).Name, a.name, n, int64(n) * a.cents, at, at})
	}
	_, err := insertMany(ctx, q, `INSERT INTO history
		(user_name, id, customer_name, article, quantity, revenue_cents, created_at, updated_at) VALUES`, ``, rows, asTheyAre)
	return err
}

func asTheyAre(values []any) []any { return values }
