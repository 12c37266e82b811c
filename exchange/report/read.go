package report

import (
	"encoding/json"
	"fmt"

	"github.com/liaison-exchange/liaison/audit"
)

// read reads an entry. It is lighter than audit.ParseEntry: what was written
// by the journal is well formed, and whether it was changed the verifier says.
func read(raw []byte) (*audit.Entry, error) {
	var e audit.Entry
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("read entry: %w", err)
	}
	if _, err := audit.ParseTime(e.Time); err != nil {
		return nil, err
	}
	return &e, nil
}
