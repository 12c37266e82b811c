package server

import (
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/liaison-exchange/liaison/exchange"
	"github.com/liaison-exchange/liaison/exchange/api"
)

// operation is one call of the API.
type operation struct {
	id     string // operationId of the OpenAPI document, label of metrics
	method string
	route  string   // a pattern of package api
	query  []string // names of its query parameters
	media  string   // Content-Type of its body; empty: it takes none
	limit  string   // that counts it; empty: that of reads
	open   bool     // what every party may read: no gate of the domain, no entry
	handle func(*call) error
}

var operations = []operation{
	{id: "postPackage", method: http.MethodPost, route: api.RoutePackages, media: api.MediaForm, limit: exchange.LimitPackages, handle: postPackage},
	{id: "listPackages", method: http.MethodGet, route: api.RoutePackages, query: []string{"box", "state", "due_before", "after", "limit"}, handle: listPackages},
	{id: "getPackage", method: http.MethodGet, route: api.RoutePackage, handle: getPackage},
	{id: "getManifest", method: http.MethodGet, route: api.RouteManifest, handle: getManifest},
	{id: "acknowledge", method: http.MethodPost, route: api.RouteAcknowledgement, media: api.MediaJOSE, limit: exchange.LimitBadSignatures, handle: acknowledge},
	{id: "reportMismatch", method: http.MethodPost, route: api.RouteMismatch, media: api.MediaJSON, limit: exchange.LimitChanges, handle: reportMismatch},
	{id: "getContent", method: http.MethodGet, route: api.RouteContent, handle: getContent},
	{id: "getAttachment", method: http.MethodGet, route: api.RouteAttachment, handle: getAttachment},
	{id: "askDecision", method: http.MethodPost, route: api.RouteDecisions, media: api.MediaJSON, limit: exchange.LimitDecisions, handle: askDecision},
	{id: "getDecision", method: http.MethodGet, route: api.RouteDecision, handle: getDecision},
	{id: "replayPolicy", method: http.MethodPost, route: api.RoutePolicyReplay, query: []string{"since"}, media: api.MediaBundle, handle: replayPolicy},
	{id: "putShadow", method: http.MethodPut, route: api.RouteShadow, media: api.MediaBundle, limit: exchange.LimitChanges, handle: putShadow},
	{id: "getShadow", method: http.MethodGet, route: api.RouteShadow, query: []string{"limit"}, handle: getShadow},
	{id: "deleteShadow", method: http.MethodDelete, route: api.RouteShadow, query: []string{"limit"}, limit: exchange.LimitChanges, handle: deleteShadow},
	{id: "getPolicyDecision", method: http.MethodGet, route: api.RoutePolicyDecision, handle: getPolicyDecision},
	{id: "openConsultation", method: http.MethodPost, route: api.RouteConsultations, media: api.MediaJSON, handle: openConsultation},

	{id: "listEntries", method: http.MethodGet, route: api.RouteAuditEntries, query: []string{"owner", "q", "from", "to", "after", "before", "order", "limit", "facets", "top", "histogram"}, limit: exchange.LimitSearches, handle: listEntries},
	{id: "postSample", method: http.MethodPost, route: api.RouteSamples, media: api.MediaJSON, limit: exchange.LimitSearches, handle: postSample},
	{id: "listSamples", method: http.MethodGet, route: api.RouteSamples, limit: exchange.LimitSearches, handle: listSamples},
	{id: "putVerdict", method: http.MethodPut, route: api.RouteVerdict, media: api.MediaJSON, limit: exchange.LimitSearches, handle: putVerdict},
	{id: "getEntry", method: http.MethodGet, route: api.RouteAuditEntry, limit: exchange.LimitSearches, handle: getEntry},
	{id: "orderErasure", method: http.MethodPost, route: api.RouteErasures, media: api.MediaJOSE, limit: exchange.LimitChanges, handle: orderErasure},
	{id: "previewErasures", method: http.MethodGet, route: api.RouteErasures, query: []string{"on", "limit"}, limit: exchange.LimitSearches, handle: previewErasures},
	{id: "addHold", method: http.MethodPost, route: api.RouteHolds, media: api.MediaJSON, limit: exchange.LimitChanges, handle: addHold},
	{id: "listHolds", method: http.MethodGet, route: api.RouteHolds, limit: exchange.LimitSearches, handle: listHolds},
	{id: "releaseHold", method: http.MethodPost, route: api.RouteRelease, media: api.MediaJSON, limit: exchange.LimitChanges, handle: releaseHold},

	{id: "getExport", method: http.MethodGet, route: api.RouteAuditExport, query: []string{"owner", "q", "from", "to", "format", "after", "last"}, limit: exchange.LimitSearches, handle: getExport},
	{id: "getStatistics", method: http.MethodGet, route: api.RouteAuditStatistics, query: []string{"owner", "report", "from", "to", "key", "host", "format"}, limit: exchange.LimitSearches, handle: getStatistics},

	{id: "putRevocations", method: http.MethodPut, route: api.RouteRevocations, media: api.MediaCRL, limit: exchange.LimitChanges, handle: putRevocations},
	{id: "putGrace", method: http.MethodPut, route: api.RouteGrace, media: api.MediaJSON, limit: exchange.LimitChanges, handle: putGrace},

	{id: "listPolicies", method: http.MethodGet, route: api.RoutePolicies, handle: listPolicies},
	{id: "getPolicy", method: http.MethodGet, route: api.RoutePolicy, handle: getPolicy},
	{id: "putPolicy", method: http.MethodPut, route: api.RoutePolicy, media: api.MediaBundle, limit: exchange.LimitChanges, handle: putPolicy},
	{id: "rollbackPolicy", method: http.MethodPost, route: api.RoutePolicyRollback, media: api.MediaJOSE, limit: exchange.LimitChanges, handle: rollbackPolicy},
	{id: "listLimits", method: http.MethodGet, route: api.RouteLimits, limit: exchange.LimitChanges, handle: listLimits},
	{id: "putLimit", method: http.MethodPut, route: api.RouteLimits, media: api.MediaJSON, limit: exchange.LimitChanges, handle: putLimit},

	{id: "getRevocations", method: http.MethodGet, route: api.RouteRevocations, open: true, handle: getRevocations},
	{id: "listAgencies", method: http.MethodGet, route: api.RouteAgencies, open: true, handle: listAgencies},
	{id: "getAgency", method: http.MethodGet, route: api.RouteAgency, open: true, handle: getAgency},
	{id: "listKeys", method: http.MethodGet, route: api.RouteKeys, open: true, handle: listKeys},
	{id: "getKey", method: http.MethodGet, route: api.RouteKey, open: true, handle: getKey},
	{id: "publishKey", method: http.MethodPut, route: api.RouteKey, media: api.MediaJSON, limit: exchange.LimitChanges, handle: publishKey},
	{id: "retireKey", method: http.MethodDelete, route: api.RouteKey, query: []string{"until", "compromised"}, limit: exchange.LimitChanges, handle: retireKey},
	{id: "getAdmission", method: http.MethodGet, route: api.RouteAdmission, limit: exchange.LimitChanges, handle: getAdmission},
	{id: "putAdmission", method: http.MethodPut, route: api.RouteAdmission, media: api.MediaJSON, limit: exchange.LimitChanges, handle: putAdmission},
	{id: "getCheckpoint", method: http.MethodGet, route: api.RouteCheckpoint, open: true, handle: getCheckpoint},
	{id: "getWitnessed", method: http.MethodGet, route: api.RouteWitnessed, open: true, handle: getWitnessed},
	{id: "listWitnesses", method: http.MethodGet, route: api.RouteWitnesses, open: true, handle: listWitnesses},
	{id: "getTile", method: http.MethodGet, route: api.RouteTile, open: true, handle: getTile},
	{id: "getOpenAPI", method: http.MethodGet, route: api.RouteOpenAPI, open: true, handle: getOpenAPI},
	{id: "getMetaSchema", method: http.MethodGet, route: api.RouteMetaSchema, open: true, handle: getMetaSchema},
	{id: "getProblem", method: http.MethodGet, route: api.RouteProblem, open: true, handle: getProblem},
}

// unknown is what is asked for under a path that nothing has.
var unknown = operation{id: "unknown", route: "unknown path", handle: func(*call) error {
	return refuse(exchange.NotFound, "unknown-path", "", "")
}}

// router makes the routes. Everything that passes TLS goes through serve,
// whatever its method and path: echo answers nothing by itself.
func (s *Server) router() *echo.Echo {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect()
	e.Logger.SetOutput(io.Discard)
	methods := map[string][]string{}
	for i := range operations {
		op := &operations[i]
		methods[op.route] = append(methods[op.route], op.method)
		e.Add(op.method, echoPattern(op.route), func(ec echo.Context) error {
			s.serve(ec, op)
			return nil
		})
	}
	for route, allowed := range methods {
		op := otherMethod(route, strings.Join(allowed, ", "))
		e.RouteNotFound(echoPattern(route), func(ec echo.Context) error {
			s.serve(ec, op)
			return nil
		})
	}
	e.HTTPErrorHandler = func(_ error, ec echo.Context) { s.serve(ec, &unknown) }
	return e
}

// otherMethod is what is asked for with a method that a route does not have.
func otherMethod(route, allow string) *operation {
	return &operation{id: "otherMethod", route: route, handle: func(c *call) error {
		c.w.Header().Set("Allow", allow)
		return refuse(methodNotAllowed, "method", "this path is for "+allow+" only", "")
	}}
}

// echoPattern writes a route as echo does: ":id" for a segment, "*" for the
// rest of the path.
func echoPattern(route string) string {
	route = strings.Replace(route, "{path}", "*", 1)
	return strings.NewReplacer("{", ":", "}", "").Replace(route)
}
