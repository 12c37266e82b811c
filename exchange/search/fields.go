package search

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/liaison-exchange/liaison/audit"
)

// Field is what a term can name.
type Field struct {
	Name  string
	About string // one line of help
	// Token says that the index knows the field's values by keyed tokens
	// only: what is personal, and what names a single thing. Such a field has
	// no facet, and its terms no prefix.
	Token bool
	// Values are all values that the field can have; nil: any.
	Values []string

	values func(e *audit.Entry, add func(string))
}

// inOrder are all fields in the order of help, fields the same by name, names
// what they are called.
var inOrder, fields, names = allFields()

func allFields() (all []*Field, by map[string]*Field, names []string) {
	c := &catalogue{}
	c.acts()
	c.packages()
	c.decisions()
	by = map[string]*Field{}
	for _, f := range *c {
		by[f.Name], names = f, append(names, f.Name)
	}
	return *c, by, names
}

// catalogue is fields that are being listed.
type catalogue []*Field

func (c *catalogue) field(name, about string, values func(*audit.Entry, func(string)), closed ...string) {
	*c = append(*c, &Field{Name: name, About: about, values: values, Values: closed})
}

func (c *catalogue) token(name, about string, values func(*audit.Entry, func(string))) {
	*c = append(*c, &Field{Name: name, About: about, values: values, Token: true})
}

// text makes a field of one text.
func text(get func(*audit.Entry) string) func(*audit.Entry, func(string)) {
	return func(e *audit.Entry, add func(string)) { add(get(e)) }
}

// list makes a field of a list.
func list(get func(*audit.Entry) []string) func(*audit.Entry, func(string)) {
	return func(e *audit.Entry, add func(string)) {
		for _, v := range get(e) {
			add(v)
		}
	}
}

// Values that are fixed. Those of meta and of the exchange are compared with
// their sources by tests of package exchange.
var (
	outcomes = []string{"delivered", "pending", "denied", "acknowledged", "blocked", "expired", "withdrawn", "refused", "shown", "opened", "released",
		"repeated", "done", "awaits_second_operator", "awaits_others", "published", "retired", "replayed", "started", "stopped", "activated", "notified", "mixed",
		"erased", "held", "lifted", "ordered", "exported", "cosigned", "sampled", "reviewed", "failed", "kept", "computed", "begun", "broken_off", "back", "missing", "reported"}
	operations        = []string{audit.Collection, audit.Alteration, audit.Consultation, audit.Disclosure, audit.Combination, audit.Erasure}
	roles             = []string{"unit", "dpo", "policy", "supervisor", "operator"}
	purposes          = []string{"prevention", "detection", "investigation", "prosecution", "execution_of_penalty", "public_security_threat", "missing_person"}
	urgencies         = []string{"routine", "urgent"}
	handlings         = []string{"H0", "H1", "H2", "H3"}
	minors            = []string{"u18", "u15"}
	categories        = []string{"suspect", "convicted", "potential_offender", "victim", "potential_victim", "witness", "informant", "contact", "associate", "missing_person", "unidentified", "unknown"}
	specialCategories = []string{"racial_ethnic", "political", "religious", "union", "genetic", "biometric", "health", "sex_life"}
	contentKinds      = []string{"operational", "strategic", "statistical"}
	messageTypes      = []string{"request", "answer", "partial_answer", "spontaneous", "refusal", "clarification_request", "clarification", "delay_notice", "correction",
		"erasure_notice", "restriction_notice", "onward_request", "onward_authorisation", "onward_withdrawal", "use_permission", "use_report", "breach_notice"}
	conditions    = []string{"no_judicial_use", "no_onward", "consult_originator", "named_recipients_only", "no_automated_matching", "no_contact_with_subject", "covert_only", "sanitise_first", "eu_only"}
	transferBases = []string{"internal_eu", "led36", "led37_1a", "led37_1b", "led38_1a", "led38_1b", "led38_1c", "led38_1d", "led38_1e", "led39",
		"europol_25_1a", "europol_25_1b", "europol_25_1c", "europol_25_4a", "europol_25_5", "europol_25_6", "non_eu_law"}
	relations = []string{"answers", "corrects", "supersedes", "forwards", "concerns"}
)

// acts are what was done, by whom, why and with whom.
func (c *catalogue) acts() {
	c.field("outcome", "what became of it", text(func(e *audit.Entry) string { return e.Outcome }), outcomes...)
	c.field("action", "what was done: package.send, content.read, audit.search", text(func(e *audit.Entry) string { return e.Action }))
	c.field("operation", "the operation of LED art 25(1)", text(func(e *audit.Entry) string { return e.Operation }), operations...)
	c.field("agency", "the agency that acted", text(func(e *audit.Entry) string { return e.Actor.Agency }))
	c.field("unit", "who acted, by the last part of the identity", text(func(e *audit.Entry) string { return e.Actor.Identity[strings.LastIndexByte(e.Actor.Identity, '/')+1:] }))
	c.field("identity", "who acted, by the whole identity", text(func(e *audit.Entry) string { return e.Actor.Identity }))
	c.field("role", "the role of who acted", text(func(e *audit.Entry) string { return e.Actor.Role }), roles...)
	c.field("from", "the agency that sent the package", text(func(e *audit.Entry) string { return e.From }))
	c.field("recipient", "an agency that it went to", recipients)
	c.field("counterpart", "an agency on the other side: sender, recipient or actor, but not the owner of the log", counterparts)
	c.token("officer", "the officer's pseudonym", text(func(e *audit.Entry) string { return e.Officer }))
	c.token("approver", "who approved it, by the sender's own record", approvers)
	c.token("case", "the case reference", text(func(e *audit.Entry) string { return e.CaseRef }))
	c.token("subject", "a reference to a person, in the sender's own entries", subjects)
	c.token("justification", "the whole justification, word for word", text(func(e *audit.Entry) string { return e.Justification }))
	c.token("consultation", "id of the consultation under which something was read", text(func(e *audit.Entry) string { return e.Consultation }))
	c.token("request", "id of the HTTP request", text(func(e *audit.Entry) string { return e.Request }))
}

// packages are what was exchanged, as its manifest says.
func (c *catalogue) packages() {
	c.token("package", "id of the package", text(func(e *audit.Entry) string { return e.Package }))
	c.token("related", "id of a package that this one answers, corrects, forwards", func(e *audit.Entry, add func(string)) {
		for _, r := range e.Relations {
			add(r.Package)
		}
	})
	c.field("relation", "how it relates to that one", func(e *audit.Entry, add func(string)) {
		for _, r := range e.Relations {
			add(r.Relation)
		}
	}, relations...)
	c.field("message_type", "what kind of message", text(func(e *audit.Entry) string { return e.MessageType }), messageTypes...)
	c.field("content_kind", "operational, strategic or statistical", text(func(e *audit.Entry) string { return e.ContentKind }), contentKinds...)
	c.field("purpose", "the purpose, LED art 1(1)", text(func(e *audit.Entry) string { return e.Purpose }), purposes...)
	c.field("urgency", "routine or urgent", text(func(e *audit.Entry) string { return e.Urgency }), urgencies...)
	c.field("crime_area", "Europol Regulation annex I", list(func(e *audit.Entry) []string { return e.CrimeAreas }))
	c.field("category", "category of persons, LED art 6", list(func(e *audit.Entry) []string { return e.SubjectCategories }), categories...)
	c.field("special", "special category of data, LED art 10", list(func(e *audit.Entry) []string { return e.SpecialCategories }), specialCategories...)
	c.field("minors", "persons under 18 or under 15", text(func(e *audit.Entry) string { return e.Minors }), minors...)
	c.field("handling", "handling code", text(func(e *audit.Entry) string { return e.Handling }), handlings...)
	c.field("condition", "a condition of handling", list(func(e *audit.Entry) []string { return e.Conditions }), conditions...)
	c.field("classification", "classification", text(func(e *audit.Entry) string { return e.Classification }))
	c.field("legal_basis", "jurisdiction:instrument:article", list(func(e *audit.Entry) []string { return e.LegalBasis }))
	c.field("transfer_basis", "basis of a transfer, LED arts 35 to 39", text(func(e *audit.Entry) string { return e.TransferBasis }), transferBases...)
	c.field("transfer_instrument", "the declared instrument", text(func(e *audit.Entry) string { return e.TransferInstrument }))
	c.field("assurance", "an assurance of the recipient", list(func(e *audit.Entry) []string { return e.Assurances }))
	c.field("originator", "whose data it is", list(func(e *audit.Entry) []string { return e.Originators }))
	c.field("authorisation", "originator:state of a prior authorisation", authorisations)
}

// decisions are what decided it, why it was refused, and what proves it.
func (c *catalogue) decisions() {
	c.field("code", "a code of a decision, or of a mismatch that was reported", codes)
	c.field("rule", "a rule that a decision names", decided(func(d *audit.Decision) []string { return d.Rules }))
	c.field("obligation", "an obligation that a decision lays on the recipient", decided(func(d *audit.Decision) []string { return d.Obligations }))
	c.token("decision", "id of a decision", decided(func(d *audit.Decision) []string { return []string{d.ID} }))
	c.token("input", "digest of a decision's input", decided(func(d *audit.Decision) []string { return []string{d.InputSHA256} }))
	c.field("revision", "digest of a revision of policy that decided", func(e *audit.Entry, add func(string)) {
		for _, v := range e.Revisions {
			add(v)
		}
	})
	c.field("engine", "version of the engine that decided", text(func(e *audit.Entry) string { return e.Engine }))
	c.field("sample", "a jurisdiction whose rules were samples", list(func(e *audit.Entry) []string { return e.Samples }))
	c.field("problem", "the problem as the caller saw it", text(func(e *audit.Entry) string { return e.Problem }))
	c.field("reason", "the reason behind it", text(func(e *audit.Entry) string { return e.Reason }))

	c.token("manifest", "digest of the manifest", text(func(e *audit.Entry) string { return e.ManifestSHA256 }))
	c.field("key", "thumbprint of the signing key", text(func(e *audit.Entry) string { return e.SigningKey }))
	c.field("certificate", "fingerprint of the client certificate", text(func(e *audit.Entry) string { return e.Actor.Certificate }))
	c.field("truncated", "a member that was too long to be kept whole", func(e *audit.Entry, add func(string)) {
		for name := range e.Truncated {
			add(name)
		}
	})
}

// codes are those of decisions, and the one in which content is not what its
// manifest says.
func codes(e *audit.Entry, add func(string)) {
	decided(func(d *audit.Decision) []string { return d.Codes })(e, add)
	add(e.Details["mismatch"])
}

func recipients(e *audit.Entry, add func(string)) {
	for _, r := range e.Recipients {
		add(r)
	}
	for _, d := range e.Decisions {
		add(d.Recipient)
	}
}

func counterparts(e *audit.Entry, add func(string)) {
	other := func(agency string) {
		if agency != e.Owner {
			add(agency)
		}
	}
	other(e.From)
	other(e.Actor.Agency)
	recipients(e, other)
}

// authorisations leaves the reference out: it belongs to the originator.
func authorisations(e *audit.Entry, add func(string)) {
	for _, a := range e.Authorisations {
		if parts := strings.SplitN(a, ":", 3); len(parts) > 2 {
			a = parts[0] + ":" + parts[1]
		}
		add(a)
	}
}

func decided(get func(*audit.Decision) []string) func(*audit.Entry, func(string)) {
	return func(e *audit.Entry, add func(string)) {
		for i := range e.Decisions {
			for _, v := range get(&e.Decisions[i]) {
				add(v)
			}
		}
	}
}

// statement is what a search reads of a statement.
type statement struct {
	Approvals []struct {
		Approver string `json:"approver"`
	} `json:"approvals"`
	SubjectRefs []string `json:"subject_refs"`
}

// statementOf returns nothing for a statement of another form: the sender's
// statement is checked where it is taken in.
func statementOf(e *audit.Entry) (s statement) {
	if len(e.Statement) == 0 || json.Unmarshal(e.Statement, &s) != nil {
		return statement{}
	}
	return s
}

func subjects(e *audit.Entry, add func(string)) {
	for _, ref := range statementOf(e).SubjectRefs {
		add(ref)
	}
}

func approvers(e *audit.Entry, add func(string)) {
	for _, a := range statementOf(e).Approvals {
		add(a.Approver)
	}
}

// Fields lists all fields in the order of help.
func Fields() []Field {
	all := make([]Field, len(names))
	for i, name := range names {
		all[i] = *fields[name]
	}
	return all
}

// FieldOf returns a field.
func FieldOf(name string) (Field, bool) {
	f, ok := fields[name]
	if !ok {
		return Field{}, false
	}
	return *f, true
}

// ValuesOf are an entry's values of a field, each once, sorted. The empty text
// is no value.
func ValuesOf(e *audit.Entry, name string) []string {
	f, ok := fields[name]
	if !ok {
		return nil
	}
	return f.of(e)
}

func (f *Field) of(e *audit.Entry) []string {
	var all []string
	f.values(e, func(v string) {
		if v != "" {
			all = append(all, v)
		}
	})
	slices.Sort(all)
	return slices.Compact(all)
}

// near returns the word that is most like the given one, or "".
func near(word string, words []string) string {
	best, at := "", 1+len(word)/3
	for _, w := range words {
		if d := distance(word, w); d <= at && (best == "" || d < at) {
			best, at = w, d
		}
	}
	return best
}

// distance counts the letters to change, leave out, put in or swap.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	var earlier []int
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		earlier, before, row = before, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, before[j+1]+1, before[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], earlier[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
