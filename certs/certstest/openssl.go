package certstest

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// OpenSSL gives the path of the openssl program. A test that wants it is skipped where it is not, unless LIAISON_TEST_REQUIRE
// asks for it.
func OpenSSL(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err == nil {
		return path
	}
	required := strings.Split(os.Getenv("LIAISON_TEST_REQUIRE"), ",") //nolint:forbidigo // tests ask here, in one place, for what may be missing
	if slices.Contains(required, "all") || slices.Contains(required, "openssl") {
		t.Fatalf("openssl is required: %v (fix: apt-get install openssl)", err)
	}
	t.Skipf("openssl is missing: %v", err)
	return ""
}
