package attack_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	bait = newLure()
	checks := "40"
	if torture() {
		checks = "5000"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
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

// torture says that there is time for the long forms.
func torture() bool { return os.Getenv("LIAISON_TORTURE") == "1" }
