package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func vector(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vectors", name))
	must(t, err)
	return b
}

// sum is SHA-256 over the parts.
func sum(parts ...[]byte) []byte {
	h := sha256.Sum256(bytes.Join(parts, nil))
	return h[:]
}

// The worked example of the package comment, computed here from the bare primitives alone, is what the package makes, what it
// verifies, what the published vector holds and what the comment shows.
func TestVector(t *testing.T) {
	e := Entry{Owner: "ee/pbgb", Seq: 1, Prev: FirstPrev, Exchange: "exchange.example/ledger", Time: "2026-11-22T10:00:00.000Z",
		Operation: Disclosure, Action: "package.send", Outcome: "delivered", Officer: "o-17", Recipients: []string{"lv/vp"}}
	entry, err := e.Encode()
	must(t, err)

	var seed, salt [32]byte
	for i := range seed {
		seed[i], salt[i] = byte(i), byte(32+i)
	}
	mac := hmac.New(sha256.New, salt[:])
	mac.Write(entry)
	commitment := mac.Sum(nil)
	other := bytes.Repeat([]byte{0xff}, 32) // the second leaf: somebody else's commitment
	leaf, otherLeaf := sum([]byte{0}, commitment), sum([]byte{0}, other)
	root := sum([]byte{1}, leaf, otherLeaf)

	key := ed25519.NewKeyFromSeed(seed[:])
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	id := sum([]byte("exchange.example/ledger\n"), public)[:4]
	std, url := base64.StdEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString
	vkey := fmt.Sprintf("exchange.example/ledger+%x+%s", id, std(public))
	body := "exchange.example/ledger\n2\n" + std(root) + "\n"
	checkpoint := body + "\n— exchange.example/ledger " + std(append(bytes.Clone(id), ed25519.Sign(key, []byte(body))...)) + "\n"
	extra := `{"entry":"` + url(entry) + `","salt":"` + url(salt[:]) + `"}`
	receipt := "c2sp.org/tlog-proof@v1\nextra " + std([]byte(extra)) + "\nindex 0\n" + std(otherLeaf) + "\n\n" + checkpoint

	signer, err := NewSignerWith("exchange.example/ledger", key)
	must(t, err)
	g, err := EmptyTree().Grow([]Commitment{Commit(salt, entry), Commitment(other)})
	must(t, err)
	p, err := g.Proof(0)
	must(t, err)
	signed, err := signer.Checkpoint(g.Tree().Size(), g.Tree().Root())
	must(t, err)
	made := Receipt{entry, salt[:], 0, p, signed}.Encode()
	for name, pair := range map[string][2]string{
		"verifier key": {vkey, signer.VerifierKey()}, "checkpoint": {checkpoint, string(signed)}, "receipt": {receipt, made},
		"published receipt": {receipt, string(vector(t, "receipt.tlog-proof"))}, "published key": {vkey + "\n", string(vector(t, "log.vkey"))},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s:\n%s\n%s", name, pair[0], pair[1])
		}
	}

	keys, err := ParseKeys(vector(t, "log.vkey"))
	must(t, err)
	r, err := ParseReceipt(string(vector(t, "receipt.tlog-proof")))
	must(t, err)
	v, err := r.Verify(keys, nil)
	if err != nil || v.Entry.Officer != "o-17" || v.Size != 2 || v.Commitment.String() != url(commitment) {
		t.Errorf("%+v, %v", v, err)
	}
	source, err := os.ReadFile("doc.go")
	must(t, err)
	comment := strings.ReplaceAll(string(source), "//\t", "")
	for name, text := range map[string]string{
		"entry": string(entry), "salt": url(salt[:]), "commitment": url(commitment), "leaf hash": std(leaf), "root": std(root), "verifier key": vkey,
		"receipt": strings.TrimSuffix(strings.ReplaceAll(receipt, "\n\n", "\n//\n"), "\n"),
	} {
		if !strings.Contains(comment, text+"\n") {
			t.Errorf("the package comment does not show this %s:\n%s", name, text)
		}
	}
}

// A bundle, a tile path and a cosignature that others wrote: the examples of the C2SP texts.
func TestPublishedExamples(t *testing.T) {
	// The witness's example key name and the checkpoint of c2sp.org/tlog-cosignature: well-formed, signed by keys that we do not have.
	text := "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n" +
		"— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n" +
		"— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
	must(t, checkSignatureLines([]byte(text)))
	if p, err := ParseTilePath("tile/0/x001/x234/067"); err != nil || p.Index != 1234067 {
		t.Errorf("%+v, %v", p, err)
	}
}
