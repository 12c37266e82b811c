package exchange

import (
	"fmt"
	"slices"

	"github.com/liaison-exchange/liaison/audit"
	"github.com/liaison-exchange/liaison/certs"
)

// maxSupervised is how many agencies one may supervise, and maxGranted how
// many of them change at a time, so that the entry names each.
const (
	maxSupervised = 64
	maxGranted    = 16
)

// MayReadLog reports whether an identity may read an owner's log: its own
// agency's, and a supervisor what the registry grants to its agency besides.
// Every way to a log asks here.
func (r *Registry) MayReadLog(who certs.Identity, owner string) bool {
	if owner == who.AgencyID() {
		return true
	}
	a, known := r.Agency(who.AgencyID())
	return known && who.Role == certs.RoleSupervisor && slices.Contains(a.Supervises, owner)
}

// logOwner is whose log the caller asks for: its own agency's if it names
// none. What it may not read and what is not there are refused alike.
func (v *visit) logOwner(rows Reader, asked string) (string, *Refusal, error) {
	if asked == "" || asked == v.agency() {
		return v.agency(), nil, nil
	}
	reg, err := rows.Registry()
	if err != nil {
		return "", nil, err
	}
	if !reg.MayReadLog(v.caller.Identity, asked) {
		return "", absent("entry-of-another"), nil
	}
	return asked, nil, nil
}

// checkSupervises holds what is granted against the registry.
func (s *Service) checkSupervises(reg *Registry, old, next Agency) *Refusal {
	added, gone := difference(next.Supervises, old.Supervises), difference(old.Supervises, next.Supervises)
	switch {
	case len(next.Supervises) > maxSupervised || len(added)+len(gone) > maxGranted:
		return badRequest("supervises", fmt.Sprintf("an agency supervises at most %d others, of which at most %d change at a time", maxSupervised, maxGranted))
	case len(added) > 0 && !slices.Contains(next.Roles, certs.RoleSupervisor):
		return badRequest("supervises", "only an agency with the role supervisor can supervise others")
	}
	for i, agency := range next.Supervises {
		if agency == next.ID || agency == s.Operator || slices.Contains(next.Supervises[:i], agency) {
			return badRequest("supervises", "each agency stands there once, and neither the agency itself nor the exchange's own")
		}
	}
	for _, agency := range added {
		if _, known := reg.Agency(agency); !known {
			return &Refusal{Kind: Conflict, Reason: "supervised-unknown", Detail: fmt.Sprintf("agency %q is not admitted", clip(agency)), Fix: "admit it first"}
		}
	}
	return nil
}

// clip keeps a message short.
func clip(s string) string { return s[:min(len(s), 64)] }

// difference gives what only the first list has.
func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(x string) bool { return slices.Contains(b, x) })
}

// describeSupervises tells an entry whose logs can be read from now on, and
// whose not any more.
func describeSupervises(details map[string]string, old, next []string) {
	if added := difference(next, old); len(added) > 0 {
		details["supervises"] = fmt.Sprint(added)
	}
	if gone := difference(old, next); len(gone) > 0 {
		details["supervises_no_more"] = fmt.Sprint(gone)
	}
}

// grants are the entries of a grant, or of its end, for both sides: who may
// read, and whose log can be read.
func grants(e audit.Entry, old, next Agency) (all []audit.Entry) {
	for word, list := range map[string][]string{"granted": difference(next.Supervises, old.Supervises), "ended": difference(old.Supervises, next.Supervises)} {
		for _, agency := range list {
			all = append(all, grant(e, agency, next.ID, word))
		}
	}
	if len(all) == 0 {
		return nil
	}
	own := e
	own.Owner, own.Action = next.ID, string(ActSupervise)
	own.Details = map[string]string{"supervisor": next.ID}
	describeSupervises(own.Details, old.Supervises, next.Supervises)
	return append(all, own)
}

// grant is what the supervised agency sees of it.
func grant(e audit.Entry, owner, supervisor, word string) audit.Entry {
	e.Owner, e.Action = owner, string(ActSupervise)
	e.Details = map[string]string{"supervisor": supervisor, "supervision": word}
	return e
}
