package exchange

import (
	"fmt"
	"slices"

	"github.com/liaison-exchange/liaison/certs"
)

// Binding says that the holder of a key speaks for an agency, although its
// certificate names nobody: for a national PKI that cannot issue SPIFFE IDs.
type Binding struct {
	Issuer string `json:"issuer"` // certs.SPKISHA256 of the authority that signs the certificate
	Key    string `json:"key"`    // certs.SPKISHA256 of the certificate
	Role   string `json:"role"`
	Name   string `json:"name"` // the last part of the identity
}

// Bounds of an agency's bindings: how many there are, and how many change at
// a time, so that the entry names each.
const (
	maxBindings = 64
	maxBound    = 8
)

// Of is the binding as certs holds it against anchors.
func (b Binding) Of(agency string) certs.Binding {
	j, name, _ := certs.ParseAgencyID(agency) // an agency of the registry, or refused there
	return certs.Binding{Issuer: b.Issuer, SPKISHA256: b.Key, Identity: certs.Identity{Jurisdiction: j, Agency: name, Role: b.Role, Name: b.Name}}
}

// checkBindings holds what becomes of an agency's bindings against its roles,
// the anchors, and the bindings of all others.
func (s *Service) checkBindings(reg *Registry, old, next Agency) *Refusal {
	if sameBindings(old.Bindings, next.Bindings) {
		return nil
	}
	if changed := len(old.Bindings) + len(next.Bindings) - 2*len(common(old.Bindings, next.Bindings)); changed > maxBound || len(next.Bindings) > maxBindings {
		return badRequest("bindings", fmt.Sprintf("an agency has at most %d bindings, of which at most %d change at a time", maxBindings, maxBound))
	}
	list := make([]certs.Binding, len(next.Bindings))
	for i, b := range next.Bindings {
		if !slices.Contains(next.Roles, b.Role) || slices.Contains(next.Bindings[:i], b) {
			return badRequest("bindings", "each binding stands there once, with one of the agency's roles")
		}
		list[i] = b.Of(next.ID)
	}
	if _, err := certs.NewBindings(list, s.Trust().Anchors); err != nil {
		return &Refusal{Kind: BadRequest, Reason: "bad-bindings", Err: err, Detail: err.Error(),
			Fix: "bind issuer and key, each as base64url of the SHA-256 of its subject public key info, to one name of the agency"}
	}
	return boundElsewhere(reg, next)
}

// boundElsewhere refuses a key that is bound to another agency.
func boundElsewhere(reg *Registry, next Agency) *Refusal {
	for _, a := range reg.Agencies() {
		for _, b := range a.Bindings {
			if a.ID != next.ID && slices.ContainsFunc(next.Bindings, func(w Binding) bool { return w.Key == b.Key }) {
				return &Refusal{Kind: Conflict, Reason: "key-bound", Detail: "a key that is to be bound is bound to another agency",
					Fix: "unbind it there first, if it is this agency's"}
			}
		}
	}
	return nil
}

// describeBindings tells an entry what is bound and what is not any more.
func describeBindings(details map[string]string, old, next []Binding) {
	for word, lists := range map[string][2][]Binding{"bind": {next, old}, "unbind": {old, next}} {
		n := 0
		for _, b := range lists[0] {
			if !slices.Contains(lists[1], b) {
				n++
				details[fmt.Sprint(word, "_", n)] = fmt.Sprintf("key %s of issuer %s as %s/%s", b.Key, b.Issuer, b.Role, b.Name)
			}
		}
	}
}

// common gives what both lists have.
func common(a, b []Binding) []Binding {
	return slices.DeleteFunc(slices.Clone(a), func(x Binding) bool { return !slices.Contains(b, x) })
}

// sameBindings compares two lists whatever their order.
func sameBindings(a, b []Binding) bool {
	return len(a) == len(b) && len(common(a, b)) == len(a)
}
