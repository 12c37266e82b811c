package policy

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// explainer explains one decision.
type explainer struct {
	*evaluation
	set   *Set
	rec   *recorded
	input *ast.Term // all of it
}

// layerVerdict is what one layer alone makes of the package.
func (e *explainer) layerVerdict() *verdict {
	v := newVerdict(e.set, e.rec.request(), e.rec.recipient.ID)
	v.class = e.rec.own.class
	return v
}

func (e *explainer) baseline(x *Explanation) error {
	v := e.layerVerdict()
	pkg, err := e.say(e.set.pkg, sources{shared: e.rec.in.shared})
	if err != nil {
		return err
	}
	rcp, err := e.say(e.set.rcp, e.rec.in)
	if err != nil {
		return err
	}
	v.baseline(pkg, rcp)
	refused := slices.ContainsFunc(e.rec.approvals, func(a Approval) bool { return !a.Granted })
	if refused {
		v.engineReason(LayerCommon, codeApprovalRefused)
	}
	return e.layer(x, LayerCommon, v, "data.liaison.common.pkg", "data.liaison.common.rcp")
}

func (e *explainer) national(x *Explanation, w who) error {
	v, name := e.layerVerdict(), w.jurisdiction+"/"+w.kind
	if err := e.rec.asking(e.set, e.evaluation).national(v, w, e.rec.in); err != nil {
		return err
	}
	return e.layer(x, name, v, "data.jurisdiction."+w.jurisdiction+"."+w.kind, `data.jurisdiction["`+w.jurisdiction+`"].`+w.kind)
}

// layer adds what a layer said, each with its conditions. pkgs are its entry packages, as OPA may write them.
func (e *explainer) layer(x *Explanation, name string, v *verdict, pkgs ...string) error {
	l := LayerExplanation{Layer: name, Said: Delivered}
	for _, r := range sortReasons(slices.Clone(v.reasons)) {
		l.Said = Denied
		l.Because = append(l.Because, fromReason(kindDeny, r))
	}
	for _, p := range v.pends {
		b := fromReason(kindPend, p.Reason)
		b.By = p.By + " of " + p.Jurisdiction
		b.Resolved = slices.ContainsFunc(e.rec.approvals, func(a Approval) bool {
			return a.Granted && a.By == p.By && a.Jurisdiction == p.Jurisdiction && slices.Contains(a.Codes, p.Pend.Code)
		})
		if !b.Resolved && l.Said == Delivered {
			l.Said = Pending
		}
		l.Because = append(l.Because, b)
	}
	for _, d := range v.duties {
		l.Because = append(l.Because, Because{
			Kind: kindOblige, Code: d.code, Params: encodeParams(d.params), Rule: d.rule, Layer: name,
			Text: d.doc.Text[mandatoryLanguage], Source: d.doc.Source, Audience: AudienceAll,
		})
	}
	for _, r := range sortReasons(slices.Clone(v.advice)) {
		l.Because = append(l.Because, fromReason(kindAdvise, r))
	}
	p, err := e.plainOf(name)
	if err != nil {
		return err
	}
	for i := range l.Because {
		if err := e.because(p, &l.Because[i], pkgs); err != nil {
			return err
		}
	}
	x.Layers = append(x.Layers, l)
	return nil
}

// because finds the rule that said it and its conditions.
func (e *explainer) because(p *plain, b *Because, pkgs []string) error {
	if p == nil {
		return nil
	}
	t := &tracing{explainer: e, plain: p}
	var found *cause
	var err error
	for _, pkg := range pkgs {
		if found != nil {
			break
		}
		switch {
		case b.Code == codeNotAllowed && b.Kind == kindDeny:
			found, err = t.unmet(p.rules[pkg+".allow"], 0)
		default:
			found, err = t.fired(pkg+"."+b.Kind, b.Code, b.Params, 0)
			if err == nil && found == nil && b.Kind == kindDeny {
				found, err = t.unmet(p.met(pkg, b.Rule), 0)
			}
		}
		if err != nil {
			return err
		}
	}
	if found == nil {
		return nil
	}
	b.Conditions, b.private = found.conditions, found.private
	if loc := found.rule.Location; loc != nil {
		b.File, b.Line = loc.File, loc.Row
	}
	b.Title = cmp.Or(found.rule.title(), b.Title)
	return nil
}
