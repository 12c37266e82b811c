package server

import (
	_ "embed"
	"net/http"
	"strconv"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
)

//go:embed openapi.json
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the API, as it is served.
func OpenAPI() []byte { return append([]byte(nil), openAPI...) }

func getOpenAPI(c *call) error { return c.bytes(http.StatusOK, api.MediaJSON, openAPI) }

func getMetaSchema(c *call) error {
	return c.bytes(http.StatusOK, "application/schema+json", envelope.MetaSchema())
}

// getProblem serves the page of a problem type.
func getProblem(c *call) error {
	for _, t := range api.ProblemTypes() {
		if t.Slug == c.param("type") {
			page := t.Title + "\n\n" + t.Help + "\n\nHTTP status: " + strconv.Itoa(t.Status) + "\nType: " + t.URI() + "\n"
			return c.bytes(http.StatusOK, api.MediaText, []byte(page))
		}
	}
	return refuse(exchange.NotFound, "no-such-problem", "", "")
}
