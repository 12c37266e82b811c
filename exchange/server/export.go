package server

import (
	"encoding/base64"
	"io"
	"strconv"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// getExport writes entries as a file. Its receipt follows the body, since it
// has the digest; without it the answer was cut off.
func getExport(c *call) error {
	p := c.parameters()
	q := exchange.ExportQuery{Owner: p.agency("owner"), Query: p.values.Get("q"), From: p.moment("from"), To: p.moment("to"), Format: p.word("format", formatLines, formatCSV),
		After: p.number("after", 0, 0, maxSeq), Last: p.number("last", 0, 1, maxSeq)}
	if p.err != nil {
		return p.err
	}
	consultation, err := c.consultation()
	if err != nil {
		return err
	}
	receipt, err := c.s.cfg.Exchange.Export(c.r.Context(), c.caller, consultation, q, func(h exchange.ExportHead) (io.Writer, error) {
		media := api.MediaLines
		if h.Format == formatCSV {
			media = api.MediaCSV
		}
		c.w.Header().Set("Trailer", api.HeaderReceipt)
		c.w.Header().Set(api.HeaderExportLast, strconv.FormatUint(h.Last, 10))
		return c.startStream(media)
	})
	if err == nil {
		c.w.Header().Set(api.HeaderReceipt, base64.StdEncoding.EncodeToString([]byte(receipt.Encode())))
	}
	return err
}
