package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/api"
	"github.com/liaison-exchange/liaison/exchange/envelope"
	"github.com/liaison-exchange/liaison/exchange/report"
)

// schema is an object of the document.
type schema = map[string]any

const (
	patternAgency  = `^[a-z0-9-]{1,63}/[a-z0-9-]{1,63}$`
	patternUUID    = `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	patternDigest  = `^[A-Za-z0-9_-]{43}$`
	patternBase64  = `^[A-Za-z0-9_-]+$`
	patternTime    = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$`
	patternWhen    = `^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$` // a date, or an RFC 3339 time
	patternCursor  = `^[1-9][0-9]{0,18}$`
	patternReceipt = `^c2sp\.org/tlog-proof@v1\n`
)

func text(pattern string) schema { return schema{"type": "string", "pattern": pattern} }

func moment() schema { return schema{"type": "string", "format": "date-time", "pattern": patternTime} }

func words(all ...string) schema {
	var enum []any
	for _, w := range all {
		if w != "" {
			enum = append(enum, w)
		}
	}
	return schema{"type": "string", "enum": enum}
}

// counts are numbers by name, or by two names.
func counts(depth int) schema {
	if depth == 0 {
		return schema{"type": "integer", "minimum": 1}
	}
	return schema{"type": "object", "additionalProperties": counts(depth - 1)}
}

// refined says more of a field than its Go type: "Type.member", or ".member"
// for every type that has it.
var refined = map[string]schema{
	".id": text(patternUUID), "Agency.id": text(patternAgency), ".package": text(patternUUID), ".decision": text(patternUUID),
	".recipient": text(patternAgency), ".from": text(patternAgency), ".owner": text(patternAgency),
	".to":              {"type": "array", "items": text(patternAgency), "minItems": 1},
	".manifest_sha256": text(patternDigest), ".commitment": text(patternDigest), ".salt": text(patternDigest), ".entry": text(patternBase64),
	".receipt": text(patternReceipt), ".next": text(patternCursor), ".seq": {"type": "integer", "minimum": 1}, ".index": {"type": "integer", "minimum": 0},
	".due_at": moment(), ".expires": moment(), "Key.from": moment(), "Key.until": moment(), "Key.compromised": moment(),
	"KeyChange.from": moment(), "KeyChange.until": moment(), "KeyChange.compromised": moment(), "Proposal.since": moment(),
	".agency": text(patternAgency), "Proposal.by": text(`^spiffe://`), "AdmissionRequest.reason": {"type": "string", "minLength": 20, "maxLength": 500},
	".roles":  {"type": "array", "items": words("unit", "dpo", "policy", "supervisor", "operator"), "uniqueItems": true},
	".issuer": text(patternDigest), ".number": text(`^(0|[1-9][0-9]{0,48})$`), ".this_update": moment(), ".next_update": moment(), ".revoked": {"type": "integer", "minimum": 0},
	".jurisdiction": text(`^[a-z0-9-]{1,63}$`), ".until": moment(), "GraceProposal.by": text(`^spiffe://`), "GraceRequest.reason": {"type": "string", "minLength": 20, "maxLength": 500},
	"Binding.key": text(patternDigest), "Binding.role": words("unit", "dpo", "policy", "supervisor"), "Binding.name": text(`^[a-z0-9-]{1,63}$`),
	"PolicyActivation.status": words("sample", "authoritative"), "PolicyVote.status": words("sample", "authoritative"), ".how": words("embedded", "file", "push", "rollback"),
	"PolicyChange.outcome": words("active", "repeated", "waiting"), ".kid": text(patternDigest), ".common": text(patternDigest), ".declared": text(patternDigest),
	".rules": text(patternDigest), "PolicyVote.proposal": text(patternDigest), ".since": moment(), "PolicyVote.by": text(`^(spiffe://|[a-z0-9-]+/[a-z0-9-]+$)`), ".back_to": {"type": "integer", "minimum": 1},
	"PolicyFinding.id": {"type": "string"}, "Policy.files": {"type": "object", "additionalProperties": schema{"type": "string"}}, ".needed": {"type": "integer", "minimum": 1},
	"AuditBar.from": moment(), ".supervises": {"type": "array", "items": text(patternAgency), "uniqueItems": true},
	"Sample.from": text(patternWhen), "Sample.to": text(patternWhen), "SampleRequest.from": text(patternWhen), "SampleRequest.to": text(patternWhen), "SampleRequest.size": {"type": "integer", "minimum": 1, "maximum": 1000},
	"Sample.drawn_by": text(`^spiffe://`), "Verdict.reviewer": text(`^spiffe://`), "Verdict.verdict": words("lawful", "unclear", "not-lawful"), "VerdictRequest.verdict": words("lawful", "unclear", "not-lawful"),
	"Sample.by": text(`^[a-z_]+$`), "SampleRequest.by": text(`^[a-z_]+$`), "Sample.seed": text(`^[A-Za-z0-9._-]{1,64}$`), "SampleRequest.seed": text(`^[A-Za-z0-9._-]{1,64}$`),
	"Agency.time_zone": text(`^[A-Za-z0-9_+/-]{1,64}$`), "MismatchRequest.code": words(envelope.MismatchCodes()...), "MismatchReported.code": words(envelope.MismatchCodes()...),
	"Outcome.mismatches": {"type": "array", "items": words(envelope.MismatchCodes()...), "uniqueItems": true},
	".at":                moment(), ".verdict": words("delivered", "pending", "denied"), "ExplainedLayer.said": words("delivered", "pending", "denied"),
	".revisions": {"type": "object", "additionalProperties": text(patternDigest)}, "Explanation.action": words("send", "acknowledgement", "release", "dry_run"),
	"ReplayChange.kind": words("now_allowed", "now_pending", "now_denied", "obligations_changed"), "ReplayChange.action": words("send", "acknowledgement", "release", "dry_run"),
	"ReplayChange.to": text(patternAgency), "ReplaySide.rules": {"type": "array", "items": schema{"type": "string"}}, "ReplaySummary.changes": counts(1), "ReplaySummary.pairs": counts(2), "ReplaySummary.rules": counts(2), "ReplaySummary.declared": {"type": "boolean"},
	"Witnesses.quorum": {"type": "integer", "minimum": 0}, "Witnesses.size": {"type": "integer", "minimum": 0}, "Witness.size": {"type": "integer", "minimum": 0}, ".cosigned_at": moment(),
	"Shadow.by": text(`^spiffe://`), "Shadow.ended": words("lapsed", "activated", "unbuilt"), "Shadow.ended_at": moment(), "Shadow.changes": counts(1), "Shadow.rules": counts(2),
	"StatisticsHead.report": words(report.Names()...), "StatisticsHead.since": moment(), "StatisticsHead.until": moment(), "StatisticsHead.at": moment(),
	"Because.kind": words("deny", "pend", "oblige", "advise"), "Because.line": {"type": "integer", "minimum": 1},
	"RecordedInput.shared": {"type": "object", "additionalProperties": true}, "RecordedInput.own": {"type": "object", "additionalProperties": true},
	"LayerSaid.package": {"type": "string"}, "LayerSaid.parts": {"type": "object", "additionalProperties": schema{"type": "string"}},
	".params": {"type": "object", "additionalProperties": true}, ".jwk": {"$ref": "#/components/schemas/JWK"},
	"KeySet.keys":     {"type": "array", "items": schema{"$ref": "#/components/schemas/JWK"}},
	"DryRun.manifest": {"type": "object", "additionalProperties": true}, "DryRun.statement": {"type": "object", "additionalProperties": true},
	".outcome": words(outcomes...), ".state": words(outcomes...), ".status": words("active", "suspended"),
	"ConsultationRequest.officer":       text(`^[A-Za-z0-9._-]{1,64}$`),
	"ConsultationRequest.justification": {"type": "string", "minLength": 20, "maxLength": 500},
	"ConsultationRequest.case_ref":      text(`^[A-Za-z0-9._:/-]{1,64}$`),
}

// jwk is a public key of the directory.
var jwk = schema{
	"type":        "object",
	"description": "A public key (RFC 7517) with its use and certificate chain.",
	"required":    []any{"kty", "kid", "use", "x5c"},
	"properties": schema{
		"kty": words("EC", "OKP"), "crv": words("P-256", "Ed25519"), "kid": text(patternDigest), "alg": schema{"type": "string"},
		"use": words("sig", "enc", "approve", "policy"), "x": text(patternBase64), "y": text(patternBase64),
		"x5c": schema{"type": "array", "minItems": 1, "items": schema{"type": "string"}},
	},
	"additionalProperties": false,
}

// schemas makes the schemas of Go types, each once, with the comments of
// their declarations.
type schemas struct {
	done     map[string]any
	comments map[string]string
}

func newSchemas(t *testing.T) *schemas {
	return &schemas{done: map[string]any{"JWK": jwk}, comments: comments(t, "../api/api.go", "../api/revocations.go", "../api/policies.go", "../api/explanation.go", "../api/replay.go", "../api/shadow.go", "../api/audit.go", "../api/statistics.go", "../api/problem.go")}
}

// of returns a reference to the schema of a type of package api.
func (s *schemas) of(t reflect.Type) schema {
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return schema{"type": "integer"}
	case reflect.Slice:
		return schema{"type": "array", "items": s.of(t.Elem())}
	case reflect.Struct:
		if _, ok := s.done[t.Name()]; !ok {
			s.done[t.Name()] = nil // cut recursion
			s.done[t.Name()] = s.object(t)
		}
		return schema{"$ref": "#/components/schemas/" + t.Name()}
	}
	panic("no schema for " + t.String())
}

func (s *schemas) object(t reflect.Type) schema {
	properties, required := schema{}, []any{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		properties[name] = s.field(t, f, name)
		if options == "" {
			required = append(required, name)
		}
	}
	out := schema{"type": "object", "properties": properties, "required": required}
	if c := s.comments[t.Name()]; c != "" {
		out["description"] = c
	}
	return out
}

func (s *schemas) field(t reflect.Type, f reflect.StructField, name string) schema {
	base, ok := refined[t.Name()+"."+name]
	if !ok {
		base, ok = refined["."+name]
	}
	if !ok {
		base = s.of(f.Type)
	}
	c := s.comments[t.Name()+"."+f.Name]
	if c == "" {
		return base
	}
	out := maps.Clone(base)
	out["description"] = c
	return out
}

// problem is the schema of one problem type's body, with exactly its members.
func (s *schemas) problem(t api.ProblemType) schema {
	members := schema{
		"type": schema{"const": t.URI()}, "title": schema{"const": t.Title}, "status": schema{"const": t.Status},
	}
	required := []any{"type", "title", "status"}
	if !silent[t.Slug] {
		members["detail"], members["fix"] = schema{"type": "string"}, schema{"type": "string"}
	}
	switch t.Slug {
	case api.PolicyDenied.Slug:
		members["id"], members["receipt"] = text(patternUUID), text(patternReceipt)
		members["outcomes"] = schema{"type": "array", "minItems": 1, "items": s.of(reflect.TypeFor[api.Outcome]())}
		required = append(required, "id", "outcomes", "receipt")
	case api.PolicyRefused.Slug:
		members["findings"] = schema{"type": "array", "minItems": 1, "items": s.of(reflect.TypeFor[api.PolicyFinding]())}
	case api.RateLimited.Slug:
		members["limit"] = s.of(reflect.TypeFor[api.LimitReached]())
		required = append(required, "limit")
	case api.Conflict.Slug:
		members["descriptor"] = s.of(reflect.TypeFor[api.Descriptor]())
	}
	return schema{"type": "object", "description": t.Help, "properties": members, "required": required, "additionalProperties": false}
}

// comments reads what the declarations of the files say: "Type" and
// "Type.Field".
func comments(t *testing.T, files ...string) map[string]string {
	out := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				declared := spec.(*ast.TypeSpec)
				out[declared.Name.Name] = oneLine(g.Doc.Text())
				if fields, ok := declared.Type.(*ast.StructType); ok {
					commentFields(out, declared.Name.Name, fields)
				}
			}
		}
	}
	return out
}

func commentFields(out map[string]string, name string, fields *ast.StructType) {
	for _, f := range fields.Fields.List {
		c := oneLine(f.Doc.Text() + " " + f.Comment.Text())
		for _, n := range f.Names {
			out[name+"."+n.Name] = c
		}
	}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// sortedKeys is for messages.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
