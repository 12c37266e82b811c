package server

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/report"
	"github.com/liaison-exchange/liaison/policy"
)

// prose is what the document says of an operation beyond the table of
// operations.
type prose struct {
	summary  string
	text     string
	role     string // who may call it
	answers  []int
	media    string // of the answer; empty: JSON
	also     string // a second media type of it, of text
	problems []api.ProblemType
	headers  []string // request headers
}

const (
	roleUnit     = "unit"
	roleReader   = "dpo, supervisor"
	roleDPO      = "dpo"
	roleOperator = "operator"
	rolePolicy   = "policy"
	roleAny      = "unit, dpo, policy, supervisor, operator"
)

// What can happen to every request, to gated ones, and to those with a body.
var (
	always   = []api.ProblemType{api.RequestMalformed, api.IdentityRefused, api.Misdirected, api.UnsupportedMediaType, api.RateLimited, api.Internal, api.Unavailable}
	gated    = []api.ProblemType{api.RoleForbidden}
	withBody = []api.ProblemType{api.TooLarge}
)

var prosed = map[string]prose{
	"postPackage": {summary: "Send a package", role: roleUnit, answers: []int{201, 200},
		text:     "The parts come in this order, each once, attachments as the manifest lists them: manifest, statement (application/jose), content (application/jose+json), attachment (application/octet-stream). 201 says that every recipient's entry and the receipt are on disk; 200 is the first answer to a package that was accepted before.",
		problems: []api.ProblemType{api.EnvelopeMalformed, api.PolicyDenied, api.Conflict, api.EnvelopeRejected, api.PackageInvalid, api.Unwitnessed}},
	"askDecision": {summary: "Ask policy about a package that is not sealed yet", role: roleUnit, answers: []int{200},
		text:     "Takes the payloads of manifest and statement, unsigned; digests and content may be absent. Answers for every recipient, denied or not. Nothing is stored but the asker's entry.",
		problems: []api.ProblemType{api.EnvelopeMalformed, api.EnvelopeRejected, api.PackageInvalid}},
	"getDecision": {summary: "Say why a decision is as it is", role: "unit, dpo, policy", answers: []int{200},
		text:     "Layer by layer, by the rules that decided: what each said, by which rule, and the condition that decided it. For the sender's side, for a recipient that got the package, and for an originator that the decision names; a policy officer sees those of all agencies of the jurisdiction. Reasons that are not for the reader are left out.",
		problems: []api.ProblemType{api.NotFound}},
	"replayPolicy": {summary: "Say which past decisions would be others under a draft", role: "policy", answers: []int{200}, media: api.MediaLines,
		text:     "The body is a bundle of the jurisdiction, unsigned or signed; nothing of it comes into force. Decides again what was decided since a time (30 days ago), of what the caller's jurisdiction may see. The answer is in JSON lines (ReplayLine): progress while it runs, then changes, newly allowed first and at most 1,000 of a kind, then the summary; without the summary it was cut off. One replay of a jurisdiction at a time.",
		problems: []api.ProblemType{api.NotFound, api.PolicyRefused}},
	"putShadow": {summary: "Let a draft run beside the rules in force", role: rolePolicy, answers: []int{201},
		text:     "The body is a bundle of one's own jurisdiction, unsigned or signed; nothing of it comes into force. From now on what is decided, and what the jurisdiction may see of it, is decided by the draft too, after the answer stands, and differences are counted and kept. It takes the place of the one before it. It ends after 30 days, and when the jurisdiction's policy comes into force anew. It is held in memory: a restart ends it.",
		problems: []api.ProblemType{api.NotFound, api.PolicyRefused}},
	"getShadow": {summary: "Read where the draft says otherwise", role: rolePolicy, answers: []int{200},
		text:     "Of one's own jurisdiction: counts, and the newest differences, 100 unless `limit` says otherwise. One that ended by itself is shown until the next one starts.",
		problems: []api.ProblemType{api.NotFound}},
	"deleteShadow": {summary: "End the draft's run", role: rolePolicy, answers: []int{200},
		text: "Says for the last time what it came to.", problems: []api.ProblemType{api.NotFound}},
	"getPolicyDecision": {summary: "Read what the rules were asked in a decision, to make a test of it", role: "policy", answers: []int{200},
		text:     "For the policy officers of the jurisdiction, of decisions that they may see; `common` for the baseline. What only the sender's side may know is replaced for all others.",
		problems: []api.ProblemType{api.NotFound}},
	"listPackages": {summary: "List a box", role: roleUnit, answers: []int{200},
		text: "In the order of the reader's own seq. `next`, if present, is the value of `after` for the following page."},
	"getPackage":  {summary: "Read a descriptor", role: roleUnit, answers: []int{200}, problems: []api.ProblemType{api.NotFound}},
	"getManifest": {summary: "Read a manifest as its sender signed it", role: roleUnit, answers: []int{200}, media: api.MediaJOSE, problems: []api.ProblemType{api.NotFound, api.Conflict}},
	"acknowledge": {summary: "Accept the obligations of a package", role: roleUnit, answers: []int{201, 200},
		text:     "The body is the recipient's signed acknowledgement, a compact JWS. Policy is asked again, as of now. 200 is the first answer to the same acknowledgement.",
		problems: []api.ProblemType{api.EnvelopeMalformed, api.PolicyDenied, api.NotFound, api.Conflict, api.EnvelopeRejected, api.PackageInvalid}},
	"reportMismatch": {summary: "Report that the content is not what the manifest says", role: roleUnit, answers: []int{201, 200},
		text:     "By a recipient that has fetched the content. `code` says in what: " + mismatchesInWords() + ". Both sides' logs say so, and the sender sees it in the descriptor; a correction is its own message. Policy is not asked. 200 is the first answer to the same code; another code is another report.",
		problems: []api.ProblemType{api.NotFound, api.Conflict}},
	"getContent": {summary: "Read the encrypted content", role: roleUnit, answers: []int{200}, media: api.MediaJOSEJSON, headers: []string{api.HeaderConsultation},
		text:     "After acknowledgement, under a consultation of this package.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound, api.Conflict}},
	"getAttachment": {summary: "Read an encrypted attachment, or a range of it", role: roleUnit, answers: []int{200, 206}, media: api.MediaBinary,
		headers: []string{api.HeaderConsultation, "Range"}, text: "Under the conditions of the content. One range of bytes at a time (RFC 9110 §14); with If-Range the whole is sent.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound, api.Conflict, api.RangeNotSatisfiable}},
	"openConsultation": {summary: "Say who reads, and why", role: "unit, dpo, supervisor", answers: []int{201},
		text:     "LED art 25. With `package` for the content of that package, 15 minutes (unit); without it for the log, 8 hours (dpo, supervisor).",
		problems: []api.ProblemType{api.NotFound}},
	"listEntries": {summary: "Read or search a log", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		text:     "Under a consultation of the log: that of one's own agency, or with `owner` one that the registry lets a supervisor read. Without any of q, from, to, before, order, facets, top, histogram: all entries in the order of seq, erased ones too. With one of them a search: entries that match the query `q` (fields as in `liaison audit search --help`: outcome:denied (recipient:lv/vp OR recipient:it/dcpc) -purpose:prevention) from a time or date until another. `facets` are fields between commas, of which the `top` most frequent values are counted, `histogram` an interval (hour, day, week, month, year); both count all hits. Erased entries match nothing. A search leaves an entry with its filter and what it showed, whatever it found.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound, api.SearchTooWide}},
	"postSample": {summary: "Draw a random sample of a log", role: roleReader, answers: []int{201}, headers: []string{api.HeaderConsultation},
		text:     "Of the entries that match a query and range, as in a search. Whoever has the log, seed and range draws the same again. With `by` each value of that field (the 100 most frequent, and having none) is represented, as far as the size goes, and the rest is shared by frequency. It is kept, with the verdicts that follow.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound, api.SearchTooWide}},
	"listSamples": {summary: "Read one's own agency's samples with their verdicts", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		problems: []api.ProblemType{api.ConsultationRequired}},
	"putVerdict": {summary: "Say what a review of one entry found", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		text:     "A later verdict on the same entry replaces the one before it. The note is kept beside the sample only and is erased together with the entry; of an erased entry there is none any more.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound}},
	"getEntry": {summary: "Read one entry", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound}},
	"getExport": {summary: "Export entries of one's own agency's log", role: roleReader, answers: []int{200}, media: api.MediaLines, also: api.MediaCSV,
		headers:  []string{api.HeaderConsultation},
		text:     "Entries of a time (`from` is inclusive, `to` is not) that match the query `q`, in the order of seq: each line an AuditItem with all that verifies it, or with `format=csv` a table for people, in which no cell is a formula. Any size. The trailer Liaison-Receipt is the receipt, in base64, of the entry of this export, which has query, count and SHA-256 of the file: without it the answer was cut off. It goes on with `after`, the last entry that came whole, and `last`, the number in Liaison-Export-Last; the digest is then of the whole file. Two statistics or exports of an agency at a time. `owner` is another agency whose log a supervisor may read.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound}},
	"getStatistics": {summary: "Compute a report of one's own agency's log", role: roleReader, answers: []int{200}, media: api.MediaLines, also: api.MediaCSV,
		headers:  []string{api.HeaderConsultation},
		text:     "Reports: " + reportsInWords() + ". `from` is inclusive, `to` is not; without them all up to now. `key` and `host` are for breach. The answer is in JSON lines (StatisticsLine), or with `format=csv` a table. Figures are computed from the entries of the log, and are of this exchange only. Two statistics or exports of an agency at a time. `owner` is another agency whose log a supervisor may read.",
		problems: []api.ProblemType{api.ConsultationRequired, api.NotFound}},
	"orderErasure": {summary: "Erase records of one's own agency before their time", role: roleDPO, answers: []int{201, 200},
		text:     "The body is an order of typ liaison-erasure+jwt, signed by an approver with a key of use approve: {exchange, iss, jti, iat, package or from and to, reason}. Who brings it countersigns it, and must be another person. A package that the agency sent goes with its content, attachments and decision inputs, and its recipients have an entry that says so; of entries of its own log nothing stays but the commitment. What a hold covers stays, and so do entries that tell of erasures. 200 answers the same order again.",
		problems: []api.ProblemType{api.EnvelopeMalformed, api.NotFound, api.Conflict, api.EnvelopeRejected, api.OrderRefused}},
	"previewErasures": {summary: "Read what will be erased by a day", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		text: "If nobody does anything: `on` is a time, now if it is absent. Counts by class, and up to `limit` of what is meant.", problems: []api.ProblemType{api.ConsultationRequired}},
	"addHold": {summary: "Keep records of one's own agency from being erased", role: roleDPO, answers: []int{201},
		text:     "By their time and by order, until it is released. It covers what the own agency has: its entries, and packages that it sent.",
		problems: []api.ProblemType{api.Conflict}},
	"listHolds": {summary: "Read the holds of one's own agency", role: roleReader, answers: []int{200}, headers: []string{api.HeaderConsultation},
		problems: []api.ProblemType{api.ConsultationRequired}},
	"releaseHold": {summary: "Release a hold", role: roleDPO, answers: []int{200}, text: "What is overdue is erased soon after.", problems: []api.ProblemType{api.NotFound}},
	"putRevocations": {summary: "Bring newer revocation lists of a jurisdiction", role: roleAny, answers: []int{201, 200},
		text:     "Anybody may, for any jurisdiction: a list authenticates itself. The body is one full list in DER, or PEM with several and the certificates of their issuers. The number of each must be higher than that of the list that is here; 200 answers lists that are here already. They are in force before the answer leaves.",
		problems: []api.ProblemType{api.NotFound, api.Conflict, api.ListRefused}},
	"putGrace": {summary: "Let the overdue revocation lists of a jurisdiction serve for longer", role: roleOperator, answers: []int{200, 202},
		text:     "At most a week ahead. It waits (202) until another operator sends the same time within 24 hours, unless the exchange is run by one person. To end it sooner one is enough.",
		problems: []api.ProblemType{api.NotFound}},
	"listLimits": {summary: "Read the limits in force", role: roleOperator, answers: []int{200},
		text: "What holds for all, then what agencies have of their own, and where it comes from."},
	"putLimit": {summary: "Set a limit, of an agency or of all that have none of their own", role: roleOperator, answers: []int{200},
		text:     "It holds at once. With quota and window 0 what operators have set is taken back, and the configuration holds again. The limits of the exchange's own agency are kept by its configuration alone.",
		problems: []api.ProblemType{api.Conflict}},
	"getRevocations": {summary: "Read the newest revocation lists of a jurisdiction", role: roleAny, answers: []int{200}, media: api.MediaPEM,
		text: "Each is followed by the certificates that vouch for its issuer, if that is no anchor. Check them against your own anchors.", problems: []api.ProblemType{api.NotFound}},
	"listPolicies": {summary: "Read which policy is in force, of all jurisdictions", role: rolePolicy, answers: []int{200},
		text: "With what waits for others. Who the persons are that brought something only their own jurisdiction sees."},
	"getPolicy": {summary: "Read the policy of a jurisdiction", role: rolePolicy, answers: []int{200},
		text: "`j` is a jurisdiction or `common`. One's own, and common, with files and history; others' without.", problems: []api.ProblemType{api.NotFound}},
	"putPolicy": {summary: "Bring a signed bundle of policy", role: rolePolicy, answers: []int{201, 200, 202},
		text:     "Of one's own jurisdiction, signed with a policy key of it; or of `common`, where the signature counts as that of one's jurisdiction. The body is an OPA bundle (.tar.gz) as `liaison policy build` makes it; its seq must be above that in force. The whole new set is built and tested first. 201: it is in force. 202: it waits until another policy author of the jurisdiction brings the same within 24 hours, unless one person is enough here; of common until enough jurisdictions signed the same. 200: it is in force already. A refusal leaves what is in force.",
		problems: []api.ProblemType{api.NotFound, api.Conflict, api.PolicyRefused}},
	"rollbackPolicy": {summary: "Put an earlier policy in force again", role: rolePolicy, answers: []int{201, 200, 202},
		text:     "The body is an order of typ liaison-rollback+jwt, signed with a policy key of the own jurisdiction: {exchange, iss, iat, jurisdiction, seq, declared, rules, reason}, for common with common instead of declared and rules. It names revisions that were in force together, and a seq above the one in force. It goes the way of a bundle, two persons included.",
		problems: []api.ProblemType{api.EnvelopeMalformed, api.NotFound, api.Conflict, api.PolicyRefused}},
	"listAgencies": {summary: "List the directory", role: roleAny, answers: []int{200},
		text: "`time_zone` is what the agency's jurisdiction declares: the hours of its people are in it. Times of the API are in UTC."},
	"getAgency": {summary: "Read an agency", role: roleAny, answers: []int{200}, problems: []api.ProblemType{api.NotFound}},
	"listKeys": {summary: "Read the keys of an agency that are in use", role: roleAny, answers: []int{200},
		text: "Check each chain against your own anchors before you believe a key.", problems: []api.ProblemType{api.NotFound}},
	"getKey": {summary: "Read one key, retired ones too", role: roleAny, answers: []int{200}, problems: []api.ProblemType{api.NotFound}},
	"publishKey": {summary: "Publish a key of one's own agency", role: "unit; policy for keys of use policy", answers: []int{201, 200},
		text:     "The path names the key by its RFC 7638 SHA-256 thumbprint. Its certificate (x5c) must chain to the anchors of the agency's own jurisdiction. It is trusted from then on; 200 answers a repeat. One key has one agency, one use and one certificate, and does not come back once it is retired.",
		problems: []api.ProblemType{api.NotFound, api.Conflict, api.KeyRefused}},
	"retireKey": {summary: "Retire a key of one's own agency", role: "unit; policy for keys of use policy", answers: []int{200},
		text:     "From now on, or from `until` on, new packages by it or for it are refused; what was accepted before stays verifiable. With `compromised` it ends now, and what was signed from that time on is not trusted. An end moves to earlier times only and is never taken back.",
		problems: []api.ProblemType{api.NotFound, api.Conflict}},
	"getAdmission": {summary: "Read what the operator says of an agency", role: roleOperator, answers: []int{200},
		text: "With what waits for a second operator.", problems: []api.ProblemType{api.NotFound}},
	"putAdmission": {summary: "Admit, suspend, readmit an agency, change its roles or bindings", role: roleOperator, answers: []int{200, 202},
		text:     "What it takes away is gone at once. What it gives waits (202) until another operator sends the same within 24 hours, unless the exchange is run by one person. To send what holds already withdraws what waits; any other change voids it. A binding says which identity the holder of a key has whose certificate has no SPIFFE ID; at most 8 change at a time.",
		problems: []api.ProblemType{api.NotFound, api.Conflict}},
	"getCheckpoint": {summary: "Read the ledger's newest signed head", role: roleAny, answers: []int{200}, media: api.MediaText,
		text: "c2sp.org/tlog-checkpoint"},
	"getWitnessed": {summary: "Read the newest head that enough witnesses have cosigned", role: roleAny, answers: []int{200}, media: api.MediaText,
		text: "c2sp.org/tlog-checkpoint with cosignatures (c2sp.org/tlog-cosignature). It may be behind /log/checkpoint by some seconds, and by more while witnesses are missing. 404: the exchange has no witnesses, or they have not cosigned yet.", problems: []api.ProblemType{api.NotFound}},
	"listWitnesses": {summary: "Read which witness was seen when", role: roleAny, answers: []int{200},
		text: "The agencies that cosign the ledger's heads, how many of them a head needs, and since when the newest such head stands."},
	"getTile": {summary: "Read a tile or an entry bundle", role: roleAny, answers: []int{200}, media: api.MediaBinary,
		text: "c2sp.org/tlog-tiles: `path` is <L>/<N>, entries/<N>, either with .p/<W> behind it, and holds slashes. Only full tiles may be cached.", problems: []api.ProblemType{api.NotFound}},
	"getOpenAPI":    {summary: "Read this document", role: roleAny, answers: []int{200}},
	"getMetaSchema": {summary: "Read the JSON Schema of `meta`", role: roleAny, answers: []int{200}, media: "application/schema+json"},
	"getProblem":    {summary: "Read the page of a problem type", role: roleAny, answers: []int{200}, media: api.MediaText, problems: []api.ProblemType{api.NotFound}},
}

// reportsInWords lists the reports and what each is.
func reportsInWords() string {
	var all []string
	for _, k := range report.Kinds() {
		all = append(all, "`"+k.Name+"` ("+k.Basis+"): "+k.Help)
	}
	return strings.Join(all, "; ")
}

// mismatchesInWords lists the codes and what each says.
func mismatchesInWords() string {
	var all []string
	for _, m := range envelope.Mismatches() {
		all = append(all, "`"+m.Code+"` ("+m.Text+")")
	}
	return strings.Join(all, ", ")
}

// document makes the OpenAPI document.
func document(s *schemas) schema {
	paths := schema{}
	for _, op := range operations {
		item, ok := paths[op.route].(schema)
		if !ok {
			item = schema{}
			paths[op.route] = item
		}
		item[strings.ToLower(op.method)] = operationOf(s, op, prosed[op.id])
	}
	examples := schema{}
	for _, t := range api.ProblemTypes() {
		s.done["problem-"+t.Slug] = s.problem(t)
		examples[t.Slug] = schema{"summary": t.Title, "value": exampleProblem(t)}
	}
	return schema{
		"openapi": "3.1.1",
		"info": schema{
			"title": "Liaison", "version": "1",
			"description": "Secure exchange of police intelligence. HTTP/1.1 and HTTP/2 over mutual TLS 1.3. HEAD and OPTIONS are answered with 405, unknown paths with 404; both are problems of their type. Refusals are problem details (RFC 9457).",
		},
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"security":          []any{schema{"mutualTLS": []any{}}},
		"paths":             paths,
		"components": schema{
			"schemas": s.done,
			"securitySchemes": schema{"mutualTLS": schema{"type": "mutualTLS",
				"description": "A client certificate whose only URI SAN is spiffe://<jurisdiction>/<agency>/<role>/<name>."}},
			"headers":  headers(),
			"examples": examples,
		},
	}
}

func operationOf(s *schemas, op operation, p prose) schema {
	text := oneLine(p.text + " Roles: " + p.role + ".")
	if op.open {
		text += " Leaves no entry."
	}
	out := schema{"operationId": op.id, "summary": p.summary, "description": text, "responses": responses(s, op, p)}
	if params := parametersOf(op, p); len(params) > 0 {
		out["parameters"] = params
	}
	if op.media != "" {
		out["requestBody"] = schema{"required": true, "content": schema{op.media: requestOf(s, op)}}
	}
	return out
}

func requestOf(s *schemas, op operation) schema {
	switch op.media {
	case api.MediaForm:
		jws := schema{"type": "string", "contentMediaType": api.MediaJOSE, "maxLength": maxJWS}
		return schema{
			"schema": schema{"type": "object", "required": []any{api.PartManifest, api.PartStatement, api.PartContent}, "additionalProperties": false,
				"properties": schema{api.PartManifest: jws, api.PartStatement: jws,
					api.PartContent:    schema{"type": "string", "contentMediaType": api.MediaJOSEJSON},
					api.PartAttachment: schema{"type": "array", "items": schema{"type": "string", "contentMediaType": api.MediaBinary}}}},
			"encoding": schema{api.PartManifest: schema{"contentType": api.MediaJOSE}, api.PartStatement: schema{"contentType": api.MediaJOSE},
				api.PartContent: schema{"contentType": api.MediaJOSEJSON}, api.PartAttachment: schema{"contentType": api.MediaBinary}},
			"example": schema{api.PartManifest: exampleJWS, api.PartStatement: exampleJWS, api.PartContent: `{"protected":"…"}`},
		}
	case api.MediaCRL:
		return schema{"schema": schema{"type": "string", "maxLength": maxList}, "example": examplePEM}
	case api.MediaBundle:
		return schema{"schema": schema{"type": "string", "maxLength": policy.MaxBundleSize, "contentMediaType": api.MediaBundle}, "example": "…"}
	case api.MediaJOSE:
		return schema{"schema": schema{"type": "string", "maxLength": maxJWS}, "example": exampleJWS}
	}
	body := requests[op.id]
	if raw, ok := body.(json.RawMessage); ok {
		return schema{"schema": schema{"$ref": "#/components/schemas/JWK"}, "example": raw}
	}
	return schema{"schema": s.of(reflect.TypeOf(body)), "example": body}
}

var pathParameter = regexp.MustCompile(`\{([a-z]+)\}`)

// parameterSchemas are those of parameters by name, or by operation and name.
var parameterSchemas = map[string]schema{
	"id": text(patternUUID), "n": {"type": "integer", "minimum": 0, "maximum": 63}, "j": text(`^[a-z0-9-]{1,63}$`), "a": text(`^[a-z0-9-]{1,63}$`),
	"kid": text(patternDigest), "seq": {"type": "integer", "minimum": 1}, "path": {"type": "string"}, "type": text(`^[a-z-]+$`),
	"q": {"type": "string", "minLength": 1, "maxLength": 2048}, "last": text(`^[1-9][0-9]{0,18}$`),
	"report": words(report.Names()...), "from": moment(), "to": moment(), "key": {"type": "string", "maxLength": 256}, "host": {"type": "string", "maxLength": 256}, "format": words("jsonl", "csv"),
	"box": words("inbox", "outbox"), "state": words(outcomes...), "due_before": moment(), "on": moment(), "until": moment(), "since": moment(), "compromised": moment(), "after": text(`^(0|[1-9][0-9]{0,18})$`),
	"owner": text(patternAgency), "listEntries.q": {"type": "string", "minLength": 1, "maxLength": 2048}, "listEntries.from": text(patternWhen), "listEntries.to": text(patternWhen), "before": text(patternCursor), "order": words("oldest", "newest"),
	"facets": text(`^[a-z_]+(,[a-z_]+){0,7}$`), "top": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}, "histogram": words("hour", "day", "week", "month", "year"),
	"limit":                {"type": "integer", "minimum": 1, "maximum": maxPage, "default": defaultPage},
	api.HeaderConsultation: text(patternUUID), "Range": text(`^bytes=([0-9]+-[0-9]*|-[0-9]+)$`),
}

func parametersOf(op operation, p prose) []any {
	var out []any
	add := func(name, in string, required bool) {
		means, ok := parameterSchemas[op.id+"."+name]
		if !ok {
			means = parameterSchemas[name]
		}
		out = append(out, schema{"name": name, "in": in, "required": required, "schema": means})
	}
	for _, m := range pathParameter.FindAllStringSubmatch(op.route, -1) {
		add(m[1], "path", true)
	}
	for _, name := range op.query {
		add(name, "query", false)
	}
	for _, name := range p.headers {
		add(name, "header", name == api.HeaderConsultation)
	}
	return out
}

// responses documents every status of an operation.
func responses(s *schemas, op operation, p prose) schema {
	out := schema{}
	for _, status := range p.answers {
		out[strconv.Itoa(status)] = success(s, op, p, status)
	}
	problems := slices.Concat(p.problems, always)
	if !op.open {
		problems = append(problems, gated...)
	}
	if op.media != "" {
		problems = append(problems, withBody...)
	}
	byStatus := map[int][]api.ProblemType{}
	for _, t := range problems {
		byStatus[t.Status] = append(byStatus[t.Status], t)
	}
	for status, types := range byStatus {
		slices.SortFunc(types, func(a, b api.ProblemType) int { return strings.Compare(a.Slug, b.Slug) })
		out[strconv.Itoa(status)] = refusal(status, types)
	}
	return out
}

func success(s *schemas, op operation, p prose, status int) schema {
	media, content := api.MediaJSON, schema{}
	if p.media != "" {
		media = p.media
	}
	media, _, _ = strings.Cut(media, ";")
	switch example := bodies[op.id].(type) {
	case nil:
		if media == api.MediaBinary {
			break
		}
		content["schema"] = schema{"type": "object", "additionalProperties": true}
	case string:
		content["schema"], content["example"] = schema{"type": "string"}, example
	default:
		content["schema"], content["example"] = s.of(reflect.TypeOf(example)), example
	}
	names := []string{api.HeaderRequestID, "Content-Length", api.HeaderRateLimitPolicy, api.HeaderRateLimit}
	switch {
	case op.id == "getExport":
		names = append(names[:1], api.HeaderExportLast)
	case media == api.MediaLines:
		names = names[:1] // its length is not known when it begins
	case op.id == "postPackage":
		names = append(names, "Location")
	case status == http.StatusPartialContent:
		names = append(names, "Content-Range", "Accept-Ranges")
	case op.id == "getAttachment":
		names = append(names, "Accept-Ranges")
	}
	bodies := schema{media: content}
	if p.also != "" {
		also, _, _ := strings.Cut(p.also, ";")
		bodies[also] = schema{"schema": schema{"type": "string"}}
	}
	return schema{"description": http.StatusText(status), "headers": headerRefs(names...), "content": bodies}
}

func refusal(status int, types []api.ProblemType) schema {
	var refs []any
	examples, titles := schema{}, []string{}
	for _, t := range types {
		refs = append(refs, schema{"$ref": "#/components/schemas/problem-" + t.Slug})
		examples[t.Slug] = schema{"$ref": "#/components/examples/" + t.Slug}
		titles = append(titles, t.Title)
	}
	body := schema{"oneOf": refs}
	if len(refs) == 1 {
		body = refs[0].(schema)
	}
	names := []string{api.HeaderRequestID, "Content-Length"}
	switch status {
	case http.StatusServiceUnavailable:
		names = append(names, "Retry-After")
	case http.StatusTooManyRequests:
		names = append(names, "Retry-After", api.HeaderRateLimitPolicy, api.HeaderRateLimit)
	case http.StatusRequestedRangeNotSatisfiable:
		names = append(names, "Content-Range")
	}
	return schema{"description": strings.Join(titles, "; "), "headers": headerRefs(names...),
		"content": schema{api.MediaProblem: schema{"schema": body, "examples": examples}}}
}

// headers are the answers' headers that the document promises.
func headers() schema {
	header := func(text, pattern string) schema {
		return schema{"description": text, "required": true, "schema": schema{"type": "string", "pattern": pattern}}
	}
	return schema{
		api.HeaderRequestID:       header("Names the request in entries and logs.", patternUUID),
		"Content-Length":          header("Bytes of the body.", `^[0-9]+$`),
		"Location":                header("The path of the package.", `^/v1/packages/`),
		"Retry-After":             header("Seconds to wait.", `^[1-9][0-9]*$`),
		api.HeaderRateLimitPolicy: header("The limits that the request was held against: a quota q in w seconds (draft-ietf-httpapi-ratelimit-headers-10).", `^`+list(`"[a-z-]+";q=[0-9]+;w=[0-9]+`)+`$`),
		api.HeaderRateLimit:       header("What remains of them, r, and in how many seconds all of it is there again, t.", `^`+list(`"[a-z-]+";r=[0-9]+;t=[0-9]+`)+`$`),
		"Accept-Ranges":           header("Ranges of bytes are served.", `^bytes$`),
		api.HeaderExportLast:      header("The last entry that is looked at.", `^[0-9]+$`),
		"Content-Range":           header("Which bytes these are, of how many (RFC 9110 §14.4).", `^bytes ([0-9]+-[0-9]+|\*)/[0-9]+$`),
	}
}

// list is the pattern of a list of members, as a structured field has it.
func list(member string) string { return member + "(, " + member + ")*" }

func headerRefs(names ...string) schema {
	out := schema{}
	for _, n := range names {
		out[n] = schema{"$ref": "#/components/headers/" + n}
	}
	return out
}
