package exchange_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
	"github.com/liaison-exchange/liaison/cmd/liaison/demo"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/client"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/exchangetest"
)

// accepting is the acknowledgement that a descriptor asks a recipient for.
func accepting(t testing.TB, x *exchangetest.Exchange, agency string, d *api.Descriptor) envelope.Acknowledgement {
	t.Helper()
	i := slices.IndexFunc(d.Outcomes, func(o api.Outcome) bool { return o.Recipient == agency })
	if i < 0 {
		t.Fatalf("%s is no recipient of %s", agency, d.ID)
	}
	a := envelope.Acknowledgement{Exchange: demo.Origin, Iss: agency, Sub: d.ID, IAT: x.Clock.Now().Unix(),
		ManifestSHA256: d.ManifestSHA256, Decision: d.Outcomes[i].Decision, Obligations: []envelope.Obligation{}}
	for _, o := range d.Outcomes[i].Obligations {
		a.Obligations = append(a.Obligations, envelope.Obligation{Code: o.Code, Params: o.Params})
	}
	return a
}

// acknowledgementOf signs what a descriptor asks for.
func acknowledgementOf(t testing.TB, x *exchangetest.Exchange, agency string, d *api.Descriptor) []byte {
	t.Helper()
	return signAck(t, x, accepting(t, x, agency, d))
}

func signAck(t testing.TB, x *exchangetest.Exchange, a envelope.Acknowledgement) []byte {
	t.Helper()
	jws, err := envelope.SignAcknowledgement(a, x.SignKey(a.Iss))
	if err != nil {
		t.Fatal(err)
	}
	return jws
}

// acknowledge posts an acknowledgement as lv/vp.
func acknowledge(t testing.TB, x *exchangetest.Exchange, id string, jws []byte) *exchangetest.Answer {
	t.Helper()
	return acknowledgeAs(x, x.HTTP("lv/vp", certs.RoleUnit), id, jws)
}

func acknowledgeAs(x *exchangetest.Exchange, c *http.Client, id string, jws []byte) *exchangetest.Answer {
	return x.Do(c, http.MethodPost, api.PackagePath(id, "acknowledgement"), http.Header{"Content-Type": {api.MediaJOSE}}, jws)
}

// receiptOf reads the receipt in an answer. It is not verified.
func receiptOf(t testing.TB, x *exchangetest.Exchange, a *exchangetest.Answer) *client.Receipt {
	t.Helper()
	var body struct{ Receipt string }
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatal(err)
	}
	parsed, err := audit.ParseReceipt(body.Receipt)
	if err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	r := &client.Receipt{Text: body.Receipt}
	if r.Entry, err = audit.ParseEntry(parsed.Entry); err != nil {
		t.Fatal(err)
	}
	return r
}
