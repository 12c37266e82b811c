package main

import (
	"strings"
	"testing"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// TestReadEntry: an entry that is not the one that was recorded is not shown.
func TestReadEntry(t *testing.T) {
	e := audit.Entry{Owner: "ee/pbgb", Seq: 1, Prev: audit.FirstPrev, Exchange: "x.example/ledger", Time: audit.FormatTime(time.Unix(1795312345, 0)), Outcome: "delivered"}
	b, err := e.Encode()
	must(t, err)
	salt := audit.NewSalt()
	good := audit.Item{Owner: "ee/pbgb", Seq: 1, Entry: b, Salt: salt[:], Commitment: audit.Commit(salt, b)}
	if got, err := readEntry(good); err != nil || got.Outcome != "delivered" {
		t.Fatalf("entry %+v, %v", got, err)
	}
	for name, spoil := range map[string]func(*audit.Item){
		"another text":  func(i *audit.Item) { i.Entry = []byte(strings.Replace(string(b), "delivered", "pending", 1)) },
		"another salt":  func(i *audit.Item) { other := audit.NewSalt(); i.Salt = other[:] },
		"no salt":       func(i *audit.Item) { i.Salt = nil },
		"another place": func(i *audit.Item) { i.Seq = 2 },
		"another owner": func(i *audit.Item) { i.Owner = "lv/vp" },
	} {
		bad := good
		if spoil(&bad); func() error { _, err := readEntry(bad); return err }() == nil {
			t.Errorf("%s: shown", name)
		}
	}
}
