package attack_test

import (
	"flag"
	"os"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/liaison-exchange/liaison/exchange/exchangetest/torture"
)

func TestMain(m *testing.M) {
	bait = newLure()
	if err := flag.Set("rapid.checks", strconv.Itoa(torture.Size(40, 5000))); err != nil {
		panic(err)
	}
	code := m.Run()
	bait.close()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
