package erp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Errors that callers can tell apart with [errors.Is].
var (
	// ErrRefused means that the ERP will say no to the same call another time too.
	ErrRefused = errors.New("erp: refused")
	// ErrSession means that the session is lost: what was begun must begin anew.
	ErrSession = errors.New("erp: session lost")
	// ErrUnavailable means that the ERP is busy or away, and was for several tries.
	ErrUnavailable = errors.New("erp: unavailable")
)

const (
	// tries and firstPause are what a call does about an ERP that is busy: with one
	// failure in 30 calls, one in 30^5 is seen by a job.
	tries      = 5
	firstPause = 20 * time.Millisecond // doubles

	maxAnswer = 4 << 20
)

// An Error is an answer of the ERP that is none. Its public text may be shown to users.
type Error struct {
	kind error // one of the sentinels
	text string
	err  error // behind it; may be nil
}

func (e *Error) Error() string {
	if e.err != nil {
		return fmt.Sprintf("%v: %s: %v", e.kind, e.text, e.err)
	}
	return fmt.Sprintf("%v: %s", e.kind, e.text)
}

// PublicError returns the text for users.
func (e *Error) PublicError() string { return e.text }

// Unwrap returns the sentinel and what is behind it.
func (e *Error) Unwrap() []error {
	if e.err == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.err}
}

// A Client calls the ERP. It tries a call again while the ERP is busy. The errors of its
// methods wrap one of the sentinels, or that of the context. It is safe for concurrent use.
type Client struct {
	url  string
	http *http.Client
}

// NewClient returns a client of the ERP at a URL: that of [Process.URL].
func NewClient(url string) *Client {
	return &Client{url: url, http: &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		MaxIdleConnsPerHost: 128,              // as many jobs as run at once
		IdleConnTimeout:     30 * time.Second, // less than the ERP's
	}}}
}

// Close closes connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// A Session is what a job does in the ERP. It is a plain value.
type Session struct {
	// Job is its ID, by which a #flaky one is known.
	Job string
	// User is whose data it is.
	User string
	// Text is the user's own, which the simulator searches for #fail and its like.
	Text string
	// Calls is how many calls the job makes in all, so that #slow knows how slow to be.
	Calls int
}

func (s Session) request() request {
	return request{Job: s.Job, User: s.User, Text: s.Text, Calls: s.Calls}
}

// Screen passes one of the ERP's screens, which is what most of its time is lost with.
func (c *Client) Screen(ctx context.Context, s Session) error {
	return c.call(ctx, "screen", s.request(), nil)
}

// CreateOrder writes the user's order of a reference, of 1 to 256 bytes, and returns its
// ID. Whoever writes it again, under the same reference, gets the same ID: it is the same
// order, which then is as it was written last.
func (c *Client) CreateOrder(ctx context.Context, s Session, reference, customerID string, totalCents int64, note string) (string, error) {
	r := s.request()
	r.Reference, r.CustomerID, r.TotalCents, r.Note = reference, customerID, totalCents, note
	var got struct{ OrderID string }
	err := c.call(ctx, "createOrder", r, &got)
	return got.OrderID, err
}

// OrderNumber returns the number that the ERP has given an order.
func (c *Client) OrderNumber(ctx context.Context, s Session, orderID string) (string, error) {
	r := s.request()
	r.ID = orderID
	var got struct{ OrderNumber string }
	err := c.call(ctx, "orderNumber", r, &got)
	return got.OrderNumber, err
}

// EditOrder changes an order's note.
func (c *Client) EditOrder(ctx context.Context, s Session, orderID, note string) error {
	r := s.request()
	r.ID, r.Note = orderID, note
	return c.call(ctx, "editOrder", r, nil)
}

// DeleteOrder deletes an order.
func (c *Client) DeleteOrder(ctx context.Context, s Session, orderID string) error {
	return c.withID(ctx, "deleteOrder", s, orderID)
}

// SendToVerona sends an order to the warehouse.
func (c *Client) SendToVerona(ctx context.Context, s Session, orderID string) error {
	return c.withID(ctx, "sendToVerona", s, orderID)
}

// UpdateCustomer changes a customer.
func (c *Client) UpdateCustomer(ctx context.Context, s Session, to Customer) error {
	r := s.request()
	r.ID, r.Name, r.City, r.Email = to.ID, to.Name, to.City, to.Email
	return c.call(ctx, "updateCustomer", r, nil)
}

// EditRecord changes a record of the history.
func (c *Client) EditRecord(ctx context.Context, s Session, recordID string) error {
	return c.withID(ctx, "editRecord", s, recordID)
}

// DeleteRecord deletes a record of the history.
func (c *Client) DeleteRecord(ctx context.Context, s Session, recordID string) error {
	return c.withID(ctx, "deleteRecord", s, recordID)
}

// Customers returns a page of the customers, of at most [MaxPage].
func (c *Client) Customers(ctx context.Context, s Session, offset, limit int) (Page[Customer], error) {
	return page[Customer](ctx, c, "customers", s, offset, limit)
}

// Orders returns a page of the orders, of at most [MaxPage].
func (c *Client) Orders(ctx context.Context, s Session, offset, limit int) (Page[Order], error) {
	return page[Order](ctx, c, "orders", s, offset, limit)
}

// Products returns a page of the products, of at most [MaxPage].
func (c *Client) Products(ctx context.Context, s Session, offset, limit int) (Page[Product], error) {
	return page[Product](ctx, c, "products", s, offset, limit)
}

// Prices returns a page of the prices, of at most [MaxPage].
func (c *Client) Prices(ctx context.Context, s Session, offset, limit int) (Page[Price], error) {
	return page[Price](ctx, c, "prices", s, offset, limit)
}

func page[R any](ctx context.Context, c *Client, op string, s Session, offset, limit int) (Page[R], error) {
	r := s.request()
	r.Offset, r.Limit = offset, limit
	var got Page[R]
	err := c.call(ctx, op, r, &got)
	return got, err
}

func (c *Client) withID(ctx context.Context, op string, s Session, id string) error {
	r := s.request()
	r.ID = id
	return c.call(ctx, op, r, nil)
}

// call makes a call, again while the ERP is busy.
func (c *Client) call(ctx context.Context, op string, r request, into any) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("erp: %s: %w", op, err)
	}
	for try := 1; ; try++ {
		err := c.try(ctx, op, body, into)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnavailable) || try == tries || !sleep(ctx, firstPause<<(try-1)) {
			return err
		}
	}
}

func (c *Client) try(ctx context.Context, op string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/v1/"+op, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("erp: %s: %w", op, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return unavailable(ctx, op, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return unavailable(ctx, op, err)
	}
	if resp.StatusCode != http.StatusOK {
		var problem struct{ Error string }
		if json.Unmarshal(answer, &problem) != nil || problem.Error == "" {
			problem.Error = "the ERP has answered " + resp.Status
		}
		return &Error{kindOf(resp.StatusCode), problem.Error, nil}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("erp: %s: %w", op, err)
	}
	return nil
}

func kindOf(status int) error {
	switch {
	case status == http.StatusBadGateway:
		return ErrSession
	case status >= 500:
		return ErrUnavailable
	default:
		return ErrRefused
	}
}

// unavailable is the error of an ERP that does not answer, unless it is ctx that ended.
func unavailable(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("erp: %s: %w", op, ctx.Err())
	}
	return &Error{ErrUnavailable, "the ERP does not answer", err}
}
