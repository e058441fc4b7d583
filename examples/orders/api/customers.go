package api

import (
	"context"
	"database/sql"
	"net/http"
	"strings"

	"github.com/usercast-go/usercast/examples/orders/jobs"
	"github.com/usercast-go/usercast/examples/orders/store"
)

var errCustomerAtWork = busy("", "the customer is being updated", "wait until that has ended, or cancel it")

func (a *API) listCustomers(w http.ResponseWriter, r *http.Request, user string) error {
	rows, err := store.Customers(r.Context(), a.cfg.Store.DB, user)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, rows)
}

// customerInput is what a page says of a customer.
type customerInput struct {
	Name  string `json:"name"`
	City  string `json:"city"`
	Email string `json:"email"`
}

func (in *customerInput) check() (err error) {
	if in.Name, err = text("name", in.Name, true, maxName); err != nil {
		return err
	}
	if in.City, err = text("city", in.City, false, maxName); err != nil {
		return err
	}
	if in.Email, err = text("email", in.Email, false, maxName); err != nil {
		return err
	}
	if name, host, ok := strings.Cut(in.Email, "@"); in.Email != "" && (!ok || name == "" || host == "" || strings.ContainsAny(in.Email, " \n\t")) {
		return invalid("email", "it is no address", "enter one like info@hotel.example, or none")
	}
	return nil
}

// updateCustomer leaves the change to a job: the ERP comes first.
func (a *API) updateCustomer(w http.ResponseWriter, r *http.Request, user string) error {
	var in customerInput
	err := decode(r, &in)
	if err == nil {
		err = in.check()
	}
	if err != nil {
		return err
	}
	return a.startJob(w, r, user, "customer", errCustomerAtWork, func(ctx context.Context, tx *sql.Tx, id string) (work, error) {
		c, err := store.CustomerByID(ctx, tx, user, id)
		return work{jobs.UpdateCustomer, c.Name, jobs.CustomerArgs(in)}, err
	})
}
