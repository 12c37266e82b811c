package search

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

// TestMain says how many logs and queries are drawn at random: a run of all
// tests draws others each time.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", strconv.Itoa(torture.Size(25, 1000))); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
