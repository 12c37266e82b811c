package report

import (
	"strings"
	"time"

	"github.com/liaison-exchange/liaison/audit"
)

// breach lists the packages that a lost key or host may have laid open.
var breach = Kind{
	Name: "breach", Title: "Packages that a breach may concern", Basis: "LED art 30, 31",
	Help: "packages that were sent, received or read in a time, by a key or a host, with their controllers and subjects; below them what a notice under LED 30(3) has to say",
	columns: []Column{{Name: "package"}, {Name: "first"}, {Name: "action"}, {Name: "direction"}, {Name: "controller"}, {Name: "others"}, {Name: "subjects", Count: true},
		{Name: "subject_categories"}, {Name: "special_categories"}, {Name: "minors"}, {Name: "classification"}, {Name: "handling"}, {Name: "identity"}, {Name: "no"}},
	start: func(*computation) collector {
		return &affected{packages: map[[16]byte]bool{}, controllers: tally{}, categories: tally{}}
	},
}

// affected holds 16 bytes and some for each package.
type affected struct {
	packages            map[[16]byte]bool
	subjects, uncounted int
	special, minors     int
	controllers         tally
	categories          tally
}

func (a *affected) entry(c *computation, e *audit.Entry) error {
	key, ok := id(e.Package)
	if !ok || a.packages[key] || !touches(e) || !names(e, c.Key, c.Host) {
		return nil
	}
	a.packages[key] = true
	about := e
	if !isSent(e) && !isReceived(e) && c.Package != nil { // those describe it themselves
		if known := c.Package(e.Package); known != nil {
			about = known
		}
	}
	direction := "received"
	if about.From == c.Owner || e.Action == sent {
		direction = "sent"
	}
	a.count(c, about)
	return c.row(e.Package, e.Time, e.Action, direction, about.From, list(about.Recipients), number(subjects(about)), list(about.SubjectCategories),
		list(about.SpecialCategories), about.Minors, about.Classification, about.Handling, e.Actor.Identity, number(int(e.Seq)))
}

// touches reports whether the entry is of something that laid a package open
// to whoever had the key or the host.
func touches(e *audit.Entry) bool {
	switch e.Action {
	case sent, received, "package.await", "package.acknowledge", "content.read", "attachment.read", "manifest.read", "package.show":
		return e.Outcome != "refused" && e.Outcome != denied
	}
	return false
}

// names reports whether an entry names the key and the host that are looked for.
func names(e *audit.Entry, key, host string) bool {
	if key != "" && e.SigningKey != key && e.Actor.Certificate != key {
		return false
	}
	return host == "" || e.Actor.Identity == host || strings.HasSuffix(e.Actor.Identity, "/"+host)
}

func (a *affected) count(c *computation, e *audit.Entry) {
	n := subjects(e)
	if a.subjects += n; n == 0 && e.Details["subjects"] == "" {
		a.uncounted++
	}
	for _, agency := range append([]string{e.From}, e.Recipients...) {
		if agency != "" && agency != c.Owner {
			a.controllers.add(1, agency)
		}
	}
	for _, s := range e.SubjectCategories {
		a.categories.add(1, s)
	}
	if len(e.SpecialCategories) > 0 {
		a.special++
	}
	if e.Minors != "" {
		a.minors++
	}
}

func (a *affected) finish(c *computation) error {
	c.note("LED 30(3)(a), nature: [say what happened], between %s and %s%s", c.From.UTC().Format(time.RFC3339), c.To.UTC().Format(time.RFC3339), a.what(c))
	c.note("LED 30(3)(a), numbers: %d packages, approximately %d data subjects by the senders' counts (%d packages have none); categories: %s; special categories in %d, minors in %d",
		len(a.packages), a.subjects, a.uncounted, words(a.categories), a.special, a.minors)
	c.note("LED 30(3)(b): [name and contact of the data-protection officer]")
	c.note("LED 30(3)(c), likely consequences: [say them]; content is encrypted end to end, so who has no recipient's key has metadata only (LED 31(3)(a))")
	c.note("LED 30(3)(d), measures: [say them]; retire the key with liaison keys rotate, revoke the certificate")
	c.note("LED 30(1): to the supervisory authority within 72 hours after you became aware; LED 30(6): tell the controllers whose data they are: %s", words(a.controllers))
	if c.Key == "" && c.Host == "" {
		c.note("no key and no host was named: this is everything that moved or was read in the time")
	}
	return nil
}

func (a *affected) what(c *computation) string {
	var b strings.Builder
	if c.Key != "" {
		b.WriteString(", key " + c.Key)
	}
	if c.Host != "" {
		b.WriteString(", host " + c.Host)
	}
	return b.String()
}

// words lists counts, the most first.
func words(t tally) string {
	if len(t) == 0 {
		return "none"
	}
	all := byCount(t)
	var b strings.Builder
	for i, n := range all[:min(len(all), 30)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n + " (" + number(t[n]) + ")")
	}
	if len(all) > 30 {
		b.WriteString(", and " + number(len(all)-30) + " more")
	}
	return b.String()
}
