package store_test

import (
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/exchange"
)

// testRates: one rate for each agency and limit, the newest; what is dropped
// is gone.
func testRates(t *testing.T, s exchange.Store) {
	row := func(agency, limit string, quota int64, ms int64) exchange.RateRow {
		return exchange.RateRow{Agency: agency, Limit: limit, Rate: exchange.Rate{Quota: quota, Window: time.Hour}, By: "spiffe://exchange/ops/operator/a", Reason: "why", At: at(ms)}
	}
	write(t, s, func(tx exchange.Transaction) {
		tx.PutRate(row("", "reads", 1, 1))
		tx.PutRate(row("lv/vp", "reads", 2, 2))
		tx.PutRate(row("lv/vp", "reads", 3, 3))
		tx.PutRate(row("lv/vp", "bytes", 1<<50, 4))
		tx.PutRate(row("ua/npu", "reads", 5, 5))
		tx.DropRate("ua/npu", "reads")
		tx.DropRate("ua/npu", "never")
	})
	view(t, s, func(r exchange.Reader) {
		equal(t, "rates", must[[]exchange.RateRow](t)(r.Rates()), []exchange.RateRow{row("", "reads", 1, 1), row("lv/vp", "bytes", 1<<50, 4), row("lv/vp", "reads", 3, 3)})
	})
}
