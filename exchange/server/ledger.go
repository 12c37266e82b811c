package server

import (
	"net/http"

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
