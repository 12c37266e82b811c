package policy

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// verdict collects what the layers said about one package for one recipient. It can only become stricter.
type verdict struct {
	set       *Set
	request   *Request
	recipient string
	class     string
	reasons   []Reason
	advice    []Reason
	pends     []pending
	duties    []duty
	used      []string // input names
}

// pending is a pend with its text.
type pending struct {
	Pend
	Reason
}

// duty is an obligation that is being merged.
type duty struct {
	*saying
	merged map[string]any // of several sayings; nil: the params of the one
	rule   string
}

func newVerdict(s *Set, r *Request, recipient string) *verdict {
	v := &verdict{set: s, request: r, recipient: recipient, class: classFull, duties: make([]duty, 0, 12), used: make([]string, 0, 6)}
	v.uses("common", "declared/"+r.Sender.Jurisdiction, "declared/"+jurisdictionOf(recipient))
	return v
}

func (v *verdict) uses(inputs ...string) {
	v.used = append(v.used, inputs...)
}

// baseline takes what common said, both phases: what is required of this class and not met denies.
func (v *verdict) baseline(pkg, rcp *says) {
	for _, s := range []*says{pkg, rcp} {
		denied := v.sayings(s)
		for _, rule := range v.set.required[s.phase][v.class] {
			if s.met.has(rule.at) || slices.Contains(denied, rule.id) {
				continue
			}
			doc := s.docs.rules[rule.id]
			v.reasons = append(v.reasons, v.reason(s, doc.code, rule.id, noParams, doc.document))
		}
		if !s.allow && len(v.reasons) == 0 {
			v.engineReason(LayerCommon, codeNotAllowed)
		}
	}
}

// national takes what a jurisdiction's layer said.
func (v *verdict) national(s *says) {
	denied := v.sayings(s)
	if !s.allow && len(denied) == 0 {
		v.engineReason(s.name, codeNotAllowed)
	}
}

// sayings takes the four sets, and returns the ids of the rules that denied.
func (v *verdict) sayings(s *says) []string {
	var denied []string
	if s.bad {
		v.engineReason(s.name, codeUnknown)
	}
	for _, one := range s.sayings {
		rule := ruleID(s, one)
		if s.name == LayerCommon && !v.asked(one.kind, rule) {
			continue
		}
		if one.kind == kindDeny {
			denied = append(denied, rule)
		}
		v.take(s, one, rule)
	}
	return denied
}

// asked reports whether a baseline rule has a say on this class of message. A message that no country can stop, and a
// correction, are held by structure alone; a correction still bears the conditions of the data in it.
func (v *verdict) asked(kind, rule string) bool {
	switch {
	case v.class == classFull, v.set.registry.Rules[rule].Structure:
		return true
	case v.class == classCorrection:
		return kind == kindOblige || kind == kindAdvise
	}
	return false
}

func ruleID(s *says, one *saying) string {
	if one.doc.Rule != "" {
		return one.doc.Rule
	}
	return s.name + ":" + one.code
}

func (v *verdict) take(s *says, one *saying, rule string) {
	if one.kind == kindOblige {
		v.oblige(one, rule)
		return
	}
	r := v.reason(s, one.code, rule, one.encoded, one.doc)
	switch one.kind {
	case kindDeny:
		v.reasons = append(v.reasons, r)
	case kindAdvise:
		v.advice = append(v.advice, r)
	case kindPend:
		v.pends = append(v.pends, pending{v.pend(s, one), r})
	}
}

func (v *verdict) reason(s *says, code, rule string, params json.RawMessage, doc *document) Reason {
	return Reason{
		Code: code, Params: slices.Clone(params), Rule: rule, Layer: s.name,
		Text: doc.Text[mandatoryLanguage], Fix: doc.Fix[mandatoryLanguage], Source: doc.Source,
		Audience: v.set.registry.Codes[code].Audience,
	}
}

// engineReason denies with a code of the engine itself.
func (v *verdict) engineReason(layer, code string) {
	def := v.set.registry.Codes[code]
	v.reasons = append(v.reasons, Reason{
		Code: code, Params: noParams, Rule: layer + ":" + code, Layer: layer, Text: def.Engine.Text[mandatoryLanguage],
		Fix: def.Engine.Fix[mandatoryLanguage], Source: def.Engine.Source, Audience: def.Audience,
	})
}

// pend fills what a rule left to the registry: who resolves it, where, and until when. A recipient's and an
// originator's pend is theirs; all others are resolved where the rule is from, the baseline's by the sender.
func (v *verdict) pend(s *says, one *saying) Pend {
	def := v.set.registry.Codes[one.code]
	p := Pend{Code: one.code, By: cmp.Or(one.by, def.By), Jurisdiction: one.jurisdiction}
	switch {
	case p.Jurisdiction != "":
	case p.By == "recipient":
		p.Jurisdiction = jurisdictionOf(v.recipient)
	case s.name == LayerCommon:
		p.Jurisdiction = v.request.Sender.Jurisdiction
	default:
		p.Jurisdiction = jurisdictionOf(s.name)
	}
	hours := cmp.Or(one.hours, def.Hours)
	p.Expires = v.request.Now.UTC().Add(time.Duration(hours) * time.Hour).Truncate(time.Second)
	return p
}

func (v *verdict) oblige(one *saying, rule string) {
	for i := range v.duties {
		if d := &v.duties[i]; d.code == one.code {
			if d.merged == nil {
				d.merged = maps.Clone(d.params)
			}
			d.merged = v.set.registry.Codes[one.code].mergeParams(d.merged, one.params)
			return
		}
	}
	v.duties = append(v.duties, duty{saying: one, rule: rule})
}

// approvals resolves pends with verified answers; a refusal denies. Nothing resolves a denial.
func (v *verdict) approvals(list []Approval) {
	for _, a := range list {
		if !a.Granted {
			v.engineReason(LayerCommon, codeApprovalRefused)
			return
		}
	}
	v.pends = slices.DeleteFunc(v.pends, func(p pending) bool {
		return slices.ContainsFunc(list, func(a Approval) bool {
			return a.By == p.By && a.Jurisdiction == p.Jurisdiction && slices.Contains(a.Codes, p.Pend.Code)
		})
	})
}

// decision is the end of it.
func (v *verdict) decision(in Input) Decision {
	d := Decision{Recipient: v.recipient, Verdict: Delivered, Advice: sortReasons(v.advice), Engine: engineVersion, Input: in}
	switch {
	case len(v.reasons) > 0:
		d.Verdict, d.Reasons = Denied, sortReasons(v.reasons)
	case len(v.pends) > 0:
		d.Verdict = Pending
		for _, p := range v.pends {
			d.Pends = append(d.Pends, p.Pend)
			d.Reasons = append(d.Reasons, p.Reason)
		}
		slices.SortFunc(d.Pends, comparePends)
		d.Pends = slices.CompactFunc(d.Pends, func(a, b Pend) bool { return a.Code == b.Code && a.By == b.By && a.Jurisdiction == b.Jurisdiction })
		d.Reasons = sortReasons(d.Reasons)
		d.Obligations = v.obligations()
	default:
		d.Obligations = v.obligations()
	}
	d.Rules = rulesOf(&d)
	v.provenance(&d)
	return d
}

// comparePends puts the pend that lapses first before its doubles.
func comparePends(a, b Pend) int {
	return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.By, b.By), cmp.Compare(a.Jurisdiction, b.Jurisdiction), a.Expires.Compare(b.Expires))
}

func (v *verdict) obligations() []Obligation {
	slices.SortFunc(v.duties, func(a, b duty) int { return cmp.Compare(a.code, b.code) })
	list := make([]Obligation, len(v.duties))
	for i := range v.duties {
		d := &v.duties[i]
		params := slices.Clone(d.encoded)
		if d.merged != nil {
			params = encodeParams(d.merged)
		}
		list[i] = Obligation{
			Code: d.code, Params: params, On: v.set.registry.Codes[d.code].On, Rule: d.rule,
			Text: d.doc.Text[mandatoryLanguage], Source: d.doc.Source,
		}
	}
	return list
}

func sortReasons(list []Reason) []Reason {
	slices.SortStableFunc(list, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Code, b.Code))
	})
	return slices.CompactFunc(list, func(a, b Reason) bool {
		return a.Code == b.Code && a.Layer == b.Layer && a.Rule == b.Rule && string(a.Params) == string(b.Params)
	})
}

// rulesOf lists the rules that decided: those of the reasons, or of the obligations when there are none.
func rulesOf(d *Decision) []string {
	ids := make([]string, 0, len(d.Reasons)+len(d.Obligations))
	for _, r := range d.Reasons {
		ids = append(ids, r.Rule)
	}
	if len(ids) == 0 {
		for _, o := range d.Obligations {
			ids = append(ids, o.Rule)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// provenance names the revisions that were asked, and which of them are samples.
func (v *verdict) provenance(d *Decision) {
	d.Revisions = make(map[string]string, len(v.used))
	for _, input := range v.used {
		if rev, ok := v.set.revisions[input]; ok {
			d.Revisions[input] = rev
		}
		if v.set.samples[input] {
			d.Sampled = append(d.Sampled, inputOwner(input))
		}
	}
	slices.Sort(d.Sampled)
	d.Sampled = slices.Compact(d.Sampled)
	d.Sample = len(d.Sampled) > 0
}

// inputOwner returns the jurisdiction of an input name, or "common".
func inputOwner(input string) string {
	for _, prefix := range []string{"declared/", "rules/"} {
		if len(input) > len(prefix) && input[:len(prefix)] == prefix {
			return input[len(prefix):]
		}
	}
	return input
}

// Mask returns the decision as the reader may see it: a reason or an advice outside the reader's audience is left out
// with its rule, and so is the input; verdict, pends and obligations never are. reader is an agency or a
// jurisdiction; isSender says whether it is the package's sender, to whom alone AudienceSender is.
func (s *Set) Mask(d Decision, reader string, isSender bool) Decision {
	return Mask(d, reader, isSender)
}

// Mask is Set.Mask: what may be seen stands in the decision itself.
func Mask(d Decision, reader string, isSender bool) Decision {
	j := jurisdictionOf(reader)
	hidden := func(r Reason) bool {
		switch r.Audience {
		case AudienceAll:
			return false
		case AudienceSender:
			return !isSender
		case AudienceOwn:
			return jurisdictionOf(r.Layer) != j
		}
		return true
	}
	d.Reasons = slices.DeleteFunc(slices.Clone(d.Reasons), hidden)
	d.Advice = slices.DeleteFunc(slices.Clone(d.Advice), hidden)
	d.Input = Input{}
	d.Rules = rulesOf(&d)
	return d
}
