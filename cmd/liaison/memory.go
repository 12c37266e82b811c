package main

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// tuneMemory lets the heap grow to five times what is in use, unless GOGC
// says otherwise: a server's is some tens of MB, and collecting it at twice
// that took a tenth of its processor time, and an eighth of a verifier's. Near
// the limit of the control group it collects as often as it must, unless
// GOMEMLIMIT says otherwise.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if limit := groupLimit(os.DirFS("/")); limit > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 10 * 9) // the rest is for what is not the heap
	}
}

// groupLimit is the least memory limit among this process's control group and
// those above it (cgroup v2); 0: none.
func groupLimit(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; ok; group = path.Dir(group) {
			raw, _ := fs.ReadFile(root, path.Join("sys/fs/cgroup", group, "memory.max")) // the top one has none
			if n, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64); err == nil {
				least = min(least, n)
			}
			if group == "/" || group == "." {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}
