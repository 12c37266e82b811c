package authorization

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/server"
)

// operations are the calls of the API that the model knows, by their
// operationId.
var operations = map[string]string{
	"postPackage": "send", "askDecision": "decide", "listPackages": "list", "getPackage": "show", "getManifest": "manifest", "acknowledge": "acknowledge", "reportMismatch": "mismatch",
	"getContent": "content", "getAttachment": "attachment", "openConsultation": "consult", "listEntries": "entries", "getEntry": "entry",
	"listAgencies": "agencies", "getAgency": "agency", "listKeys": "keys", "getKey": "key", "getCheckpoint": "checkpoint", "getTile": "tile", "getWitnessed": "witnessed", "listWitnesses": "witnesses",
	"getOpenAPI": "openapi", "getMetaSchema": "schema", "getProblem": "problem",
}

// elsewhere are calls that change the registry, the policy or the limits,
// which the model takes as given, and those that look back at decisions: their
// own tests hold them.
var elsewhere = []string{"publishKey", "retireKey", "getAdmission", "putAdmission", "getRevocations", "putRevocations", "putGrace",
	"listPolicies", "getPolicy", "putPolicy", "rollbackPolicy", "getDecision", "getPolicyDecision", "replayPolicy", "putShadow", "getShadow", "deleteShadow", "listLimits", "putLimit", "getStatistics", "getExport", "postSample", "listSamples", "putVerdict",
	"orderErasure", "previewErasures", "addHold", "listHolds", "releaseHold"}

// TestModelKnowsTheAPI: a call of the API that the model does not know is a
// call whose authorization nobody has thought about twice.
func TestModelKnowsTheAPI(t *testing.T) {
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(server.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"bundle": true, "nowhere": true} // a tile, and nothing
	for path, methods := range document.Paths {
		for method, raw := range methods {
			var operation struct{ OperationID string }
			if json.Unmarshal(raw, &operation) != nil || operation.OperationID == "" {
				continue // what all methods of the path share
			}
			verb, is := operations[operation.OperationID]
			if known[verb] = true; !is && !slices.Contains(elsewhere, operation.OperationID) {
				t.Errorf("%s %s (%s): who may do that?", method, path, operation.OperationID)
			}
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		if !known[verb] {
			t.Errorf("the API has no %s any more", verb)
		}
	}
}
