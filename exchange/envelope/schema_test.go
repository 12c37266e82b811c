package envelope

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write generated files anew")

func TestMetaSchemaIsTheTable(t *testing.T) {
	want, err := renderMetaSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("meta.v1.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(MetaSchema(), want) {
		t.Fatal("meta.v1.schema.json differs from the table: run go test -run TestMetaSchemaIsTheTable -update ./exchange/envelope")
	}
}
