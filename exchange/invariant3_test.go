package exchange_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// TestInvariant3ServerCannotReadContent: after packages went the whole way,
// nothing that the server keeps has the plaintext or a key that opens it, in
// any encoding. What the statement says stands in the sender's own entries
// and nobody else's.
func TestInvariant3ServerCannotReadContent(t *testing.T) {
	t.Parallel()
	x := start(t)
	d := draft(x, demo.EEtoLVUA)
	d.Attachments = []envelope.AttachmentSource{{Name: "photo.jpg", MediaType: "image/jpeg",
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(attached)), nil }}}
	large := draft(x, demo.EEtoLVUA)
	large.Message.Text = strings.Repeat(plaintext+"\n", 3000) // becomes a blob
	for _, d := range []*exchangetest.Draft{d, large} {
		id := post(t, x, d).ID()
		opened, err := x.As("lv/vp", certs.RoleUnit).Open(t.Context(), id, client.OpenOptions{Officer: reader, Reason: why, CaseRef: caseRef, Accept: acceptAll})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(opened.Message.Text, plaintext) {
			t.Fatal("the recipient read something else")
		}
		if len(opened.Message.Attachments) > 0 {
			var got bytes.Buffer
			if err := opened.Attachment(t.Context(), 0, &got, nil); err != nil || got.String() != attached {
				t.Fatalf("attachment: %v", err)
			}
		}
	}
	secrets := map[string]string{"the message": plaintext[:30], "the attachment": attached[:30]}
	for _, agency := range []string{"ee/pbgb", "lv/vp", "ua/npu"} {
		raw, err := x.DecryptKeys(agency)[0].MarshalPrivate()
		if err != nil {
			t.Fatal(err)
		}
		secrets["the key of "+agency] = strings.Split(strings.Split(string(raw), `"d":"`)[1], `"`)[0]
	}
	unreadable := func(when string) {
		files := stateFiles(t, x)
		for name, secret := range secrets {
			if where := findEncoded(files, secret); where != "" {
				t.Errorf("%s: %s stands in %s", when, name, where)
			}
		}
		// The search finds what is there: statements are kept as they came.
		if findEncoded(files, justification[:30]) == "" {
			t.Errorf("%s: the search does not even find the justification", when)
		}
	}
	unreadable("running")
	p := x.Parts(exchangetest.PartsConfig{})
	for _, e := range ledgerEntries(t, p.Store) {
		raw, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		for secret, owner := range map[string]string{officer: "ee/pbgb", justification: "ee/pbgb", reader: "lv/vp", why: "lv/vp"} {
			if e.Owner != owner && strings.Contains(string(raw), secret) {
				t.Errorf("entry %d of %s (%s) has what is %s's: %s", e.Seq, e.Owner, e.Action, owner, secret)
			}
		}
	}
	p.Close() // folds the write-ahead log into the database
	unreadable("stopped")
}

// stateFiles are all files that the server keeps, by name.
func stateFiles(t testing.TB, x *exchangetest.Exchange) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, dir := range []string{"state", "ledger"} {
		err := filepath.WalkDir(filepath.Join(x.World.Dir, dir), func(path string, d os.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			files[path], err = os.ReadFile(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// findEncoded names the first file in which a text stands, as it is, in
// hexadecimal, or in base64 at any offset.
func findEncoded(files map[string][]byte, secret string) string {
	forms := []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for offset := range 3 {
		padded := strings.Repeat("x", offset) + secret
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			// Characters that depend on the neighbours are left out.
			s := e.EncodeToString([]byte(padded))
			forms = append(forms, s[4:len(s)-4])
		}
	}
	for name, raw := range files {
		for _, form := range forms {
			if bytes.Contains(raw, []byte(form)) {
				return name
			}
		}
	}
	return ""
}
