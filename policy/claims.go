package policy

import (
	_ "embed"
	"slices"
	"strings"
	"time"
)

//go:embed schema/input.json
var inputSchema []byte

var (
	inputShape   = mustShape(inputSchema)
	claimedShape = inputShape.member("claimed")
)

// claims are the claimed values that Go reads to resolve facts.
type claims struct {
	purpose, basis, instrument string
	imminent, notInTime        bool
	originators                []string
	assurances                 []string
	prior                      []priorClaim
	relates                    []relatesClaim
}

type priorClaim struct{ originator, state, until string }

type relatesClaim struct{ pkg, relation string }

func readClaims(v view) claims {
	u := v.object("urgency")
	ground := u.text("ground")
	c := claims{
		purpose: v.text("purpose"), basis: v.text("transfer_basis"), instrument: v.text("transfer_instrument"),
		imminent:  u.text("level") == "urgent" && (ground == "public_security" || ground == "life"),
		notInTime: v.flag("not_in_time"), originators: v.texts("originator"), assurances: v.texts("assurances"),
	}
	v.each("prior_authorisation", func(p view) {
		c.prior = append(c.prior, priorClaim{p.text("originator"), p.text("state"), p.text("until")})
	})
	v.each("relates_to", func(r view) {
		c.relates = append(c.relates, relatesClaim{r.text("package"), r.text("relation")})
	})
	return c
}

// subjects are the aggregates over the groups of subjects.
type subjects struct {
	count                                                                       int
	categories                                                                  []string
	special, minors, under15, protected, accused, unexplained, contactOfContact bool
	beyondAnnex                                                                 bool
}

// lastOfProtected is the last of the data categories that Regulation (EU) 2016/794 annex II B(2) has for those who are
// not accused of anything.
const lastOfProtected = "c"

func readSubjects(v view) subjects {
	var s subjects
	v.each("subjects", func(g view) {
		category, minors := g.text("category"), g.text("minors")
		s.count += g.integer("count")
		s.categories = append(s.categories, category)
		s.special = s.special || len(g.texts("special_categories")) > 0
		s.minors = s.minors || minors != "none"
		switch category {
		case "victim", "potential_victim", "witness", "informant":
			s.protected = true
			s.beyondAnnex = s.beyondAnnex || slices.ContainsFunc(g.texts("data_categories"), func(c string) bool { return c > lastOfProtected })
		case "suspect", "convicted", "potential_offender":
			s.accused = true
			s.under15 = s.under15 || minors == "u15"
		case "contact", "associate":
			far := g.text("link") == "contact_of_contact" && !g.flag("link_type_only")
			s.contactOfContact = s.contactOfContact || far
		case "unknown":
			s.unexplained = s.unexplained || g.text("unknown_reason") == "none"
		}
	})
	s.protected = s.protected || s.minors
	slices.Sort(s.categories)
	s.categories = slices.Compact(s.categories)
	return s
}

// faraway stands for a number of days that nobody stated: more than any limit.
const faraway = 100_000

// daysBetween counts the days from one date to another; an absent date, or a second one before the first, is faraway.
func daysBetween(from, to string) int {
	a, errA := time.Parse(time.DateOnly, from)
	b, errB := time.Parse(time.DateOnly, to)
	if errA != nil || errB != nil || b.Before(a) {
		return faraway
	}
	return min(int(b.Sub(a).Hours()/24), faraway)
}

// retentionState says whether there is a limit and whether it lies ahead.
func retentionState(review, erase, today string) string {
	switch {
	case review == "" && erase == "":
		return "missing"
	case review != "" && review < today, erase != "" && erase < today:
		return "past"
	}
	return "set"
}

// jurisdictionOf returns the jurisdiction of an agency id.
func jurisdictionOf(agency string) string {
	j, _, _ := strings.Cut(agency, "/")
	return j
}
