package server

import (
	"net/http"
	"time"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

func getCheckpoint(c *call) error {
	checkpoint, err := c.s.cfg.Exchange.Checkpoint(c.r.Context())
	if err != nil {
		return err
	}
	return c.bytes(http.StatusOK, api.MediaText, checkpoint)
}

// getWitnessed answers with the newest head that enough witnesses cosigned.
func getWitnessed(c *call) error {
	checkpoint, err := c.s.cfg.Exchange.Witnessed(c.r.Context())
	if err != nil {
		return err
	}
	return c.bytes(http.StatusOK, api.MediaText, checkpoint)
}

// listWitnesses tells what is known of each witness, and how old the newest
// head with its quorum is.
func listWitnesses(c *call) error {
	s, err := c.s.cfg.Exchange.WitnessStatus(c.r.Context())
	if err != nil {
		return err
	}
	answer := api.Witnesses{Quorum: s.Quorum, ToleranceSeconds: int64(s.Tolerance / time.Second), Size: s.Witnessed, Since: timeOf(s.Since),
		Missing: s.Missing, Witnesses: []api.Witness{}}
	for _, w := range s.Witnesses {
		answer.Witnesses = append(answer.Witnesses, api.Witness{Name: w.Name, VKey: w.VKey, Size: w.Size, CosignedAt: timeOf(w.At), Cosigns: w.Fault == ""})
	}
	return c.answer(http.StatusOK, answer)
}

// getTile serves tiles and entry bundles (c2sp.org/tlog-tiles). A full one
// never changes; a partial one is replaced as the ledger grows.
func getTile(c *call) error {
	tile, err := audit.ParseTilePath("tile/" + c.param("*"))
	if err != nil {
		return refuse(exchange.NotFound, "tile-path", "", "")
	}
	data, err := c.s.cfg.Exchange.Tile(c.r.Context(), tile)
	if err != nil {
		return err
	}
	if tile.Width == audit.TileWidth {
		c.w.Header().Set("Cache-Control", "max-age=31536000, immutable")
	}
	return c.bytes(http.StatusOK, api.MediaBinary, data)
}
