package api

import (
	"net/url"
	"strconv"
)

// Routes of the API listener, as patterns. {id} is a package id, {j}/{a} an
// agency id, {n} an attachment's index from 0.
const (
	RoutePackages        = "/v1/packages"
	RoutePackage         = "/v1/packages/{id}"
	RouteManifest        = "/v1/packages/{id}/manifest"
	RouteAcknowledgement = "/v1/packages/{id}/acknowledgement"
	RouteMismatch        = "/v1/packages/{id}/mismatch"
	RouteContent         = "/v1/packages/{id}/content"
	RouteAttachment      = "/v1/packages/{id}/attachments/{n}"
	RouteDecisions       = "/v1/decisions"
	RouteConsultations   = "/v1/consultations"
	RouteAgencies        = "/v1/agencies"
	RouteAgency          = "/v1/agencies/{j}/{a}"
	RouteKeys            = "/v1/agencies/{j}/{a}/keys"
	RouteKey             = "/v1/agencies/{j}/{a}/keys/{kid}"
	RouteAdmission       = "/v1/agencies/{j}/{a}/admission"
	RouteRevocations     = "/v1/revocations/{j}"
	RouteGrace           = "/v1/revocations/{j}/grace"
	RoutePolicies        = "/v1/policies"
	RoutePolicy          = "/v1/policies/{j}"
	RoutePolicyRollback  = "/v1/policies/{j}/rollback"
	RouteAuditEntries    = "/v1/audit/entries"
	RouteAuditEntry      = "/v1/audit/entries/{j}/{a}/{seq}"
	RouteErasures        = "/v1/audit/erasures"
	RouteHolds           = "/v1/audit/holds"
	RouteRelease         = "/v1/audit/holds/{id}/release"
	RouteSamples         = "/v1/audit/samples"
	RouteVerdict         = "/v1/audit/samples/{id}/verdicts/{seq}"
	RouteLimits          = "/v1/limits"
	RouteCheckpoint      = "/log/checkpoint"
	RouteWitnessed       = "/log/witnessed" // the newest head that enough witnesses have cosigned
	RouteWitnesses       = "/log/witnesses"
	RouteTile            = "/log/tile/{path}" // c2sp.org/tlog-tiles; path may hold slashes
	RouteOpenAPI         = "/openapi.json"
	RouteMetaSchema      = "/schemas/meta"
	RouteProblem         = "/problems/{type}"

	// The admin listener, loopback only.
	RouteLive    = "/livez"
	RouteReady   = "/readyz"
	RouteMetrics = "/metrics"
)

// PackagePath returns the path of a package, or of a part of it
// ("manifest", "acknowledgement", "content", "mismatch"; "" for the descriptor).
func PackagePath(id, part string) string {
	p := RoutePackages + "/" + url.PathEscape(id)
	if part != "" {
		p += "/" + part
	}
	return p
}

// AttachmentPath returns the path of attachment n of a package.
func AttachmentPath(id string, n int) string {
	return PackagePath(id, "attachments/"+strconv.Itoa(n))
}

// AgencyPath returns the path of an agency ("ee/pbgb") in the directory.
func AgencyPath(agency string) string { return RouteAgencies + "/" + agency }

// KeysPath returns the path of an agency's key set.
func KeysPath(agency string) string { return AgencyPath(agency) + "/keys" }

// KeyPath returns the path of one key, retired ones included.
func KeyPath(agency, kid string) string { return KeysPath(agency) + "/" + url.PathEscape(kid) }

// AdmissionPath returns the path of what the operator says of an agency.
func AdmissionPath(agency string) string { return AgencyPath(agency) + "/admission" }

// RevocationsPath returns the path of a jurisdiction's revocation lists.
func RevocationsPath(jurisdiction string) string { return "/v1/revocations/" + jurisdiction }

// GracePath returns the path of how long they serve when they are overdue.
func GracePath(jurisdiction string) string { return RevocationsPath(jurisdiction) + "/grace" }

// PolicyPath returns the path of a jurisdiction's policy, or of common.
func PolicyPath(jurisdiction string) string { return RoutePolicies + "/" + jurisdiction }

// PolicyRollbackPath returns the path of orders to put an earlier one in force.
func PolicyRollbackPath(jurisdiction string) string { return PolicyPath(jurisdiction) + "/rollback" }

// VerdictPath returns the path of the verdict on one entry of a sample.
func VerdictPath(sample string, seq uint64) string {
	return RouteSamples + "/" + url.PathEscape(sample) + "/verdicts/" + strconv.FormatUint(seq, 10)
}

// AuditEntryPath returns the path of one entry of an owner's log.
func AuditEntryPath(owner string, seq uint64) string {
	return RouteAuditEntries + "/" + owner + "/" + strconv.FormatUint(seq, 10)
}

// ReleasePath returns the path of the end of a hold.
func ReleasePath(id string) string { return RouteHolds + "/" + url.PathEscape(id) + "/release" }
