package authorization

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The model says what an exchange answers, to whom it shows what, and in whose
// log which entry arises. It is written from the design, shares no code with
// the exchange, and knows nothing of HTTP, signatures or storage.

// identity is who asks.
type identity struct{ agency, role, name string }

func (i identity) String() string { return i.agency + "/" + i.role + "/" + i.name }

// The roles of the design.
const (
	unit, dpo, supervisor, operator = "unit", "dpo", "supervisor", "operator"
)

// operators is the agency that owns what the exchange does by itself, and what
// unknown agencies try.
const operators = "exchange/ops"

// verb is a call of the API: the action that its entry names, and which roles
// may do it. What is open is read by every admitted identity and leaves no
// entry.
type verb struct {
	action string
	roles  string
	open   bool
}

const readers = dpo + " " + supervisor

var verbs = map[string]verb{
	"send":        {action: "package.send", roles: unit},
	"decide":      {action: "decision.ask", roles: unit},
	"list":        {action: "package.list", roles: unit},
	"show":        {action: "package.show", roles: unit},
	"manifest":    {action: "manifest.read", roles: unit},
	"acknowledge": {action: "package.acknowledge", roles: unit},
	"mismatch":    {action: "package.mismatch", roles: unit},
	"content":     {action: "content.read", roles: unit},
	"attachment":  {action: "attachment.read", roles: unit},
	"consult":     {action: "consultation.open", roles: unit + " " + readers},
	"entries":     {action: "audit.list", roles: readers},
	"entry":       {action: "audit.show", roles: readers},
	"agencies":    {open: true},
	"agency":      {open: true},
	"keys":        {open: true},
	"key":         {open: true},
	"checkpoint":  {open: true},
	"tile":        {open: true},
	"witnessed":   {open: true},
	"witnesses":   {open: true},
	"bundle":      {open: true},
	"openapi":     {open: true},
	"schema":      {open: true},
	"problem":     {open: true},
	"nowhere":     {}, // a path that nothing has
}

// requestRefused is the action of what is refused for its form, before it is
// looked at what it names.
const requestRefused = "request.refused"

// wrong is what can be wrong with a request's form, and the problem that it
// has whatever it asks for.
var wrong = map[string]answer{
	"method":       {405, "method-not-allowed", nil},
	"spelling":     {404, "not-found", nil},
	"path":         {404, "not-found", nil}, // of nothing
	"id":           {404, "not-found", nil}, // no UUID
	"number":       {404, "not-found", nil}, // no attachment's
	"query":        {400, "request-malformed", nil},
	"body":         {400, "request-malformed", nil}, // where none belongs, or no JSON where JSON does
	"media":        {415, "unsupported-media-type", nil},
	"encoding":     {415, "unsupported-media-type", nil},
	"consultation": {403, "consultation-required", nil}, // a header that is no id
}

// answer is what the caller gets: of a refusal the problem, else what it
// sees, item by item.
type answer struct {
	status  int
	problem string
	seen    []string
}

// entry is a record of an agency's log.
type entry struct{ action, outcome, problem, object string }

func (e entry) String() string {
	return strings.TrimSpace(e.action + " " + e.outcome + " " + e.problem + " " + e.object)
}

// agency is what the registry says.
type agency struct {
	roles     []string
	suspended bool
	retired   bool     // its signing key is
	kid       string   // of that key
	others    []string // kids of its other keys, which nobody retires
}

// parcel is a package, and the facts about it that the model takes as given:
// what policy says of it while all its parties are active, and what is wrong
// with its envelope.
type parcel struct {
	id, from    string
	to          []string
	verdict     string // by policy
	originator  string // whose answer a pending package waits for; empty: the sender's own superior's
	payload     string // equal for repeats only
	signed      time.Time
	lapses      time.Time
	attachments int
	fault       string // malformed, stranger (to nobody), damaged (content of another)

	accepted     bool
	acknowledged map[string]string // by recipient: the payload of its acknowledgement
	fetched      map[string]bool   // by recipient: it had the content
	mismatches   map[string][]string
	outcome      map[string]string // by recipient
	seq          map[string]int    // by agency: the entry that put it into its box
}

// window is how far from the exchange's clock a package may be signed that is
// seen for the first time.
const window = 5 * time.Minute

// acknowledgement is what a recipient signs.
type acknowledgement struct {
	payload string // equal for repeats only
	fault   string // malformed, another (signed by another agency), misnamed (another package), differs (other obligations)
}

// consultation is who reads what until when.
type consultation struct {
	id      string
	who     identity
	object  string // empty: the log
	expires time.Time
}

// question is one request: who, what, on which object.
type question struct {
	who          identity
	verb         string
	wrong        string // of its form
	id           string // a package
	n            int    // an attachment
	parcel       *parcel
	ack          acknowledgement
	consultation string
	box, state   string
	due          bool // with due_before
	after, limit int
	owner        string // of an entry or a key
	seq          int
	kid          string
	code         string // of a mismatch
	width        int    // of a tile
}

// model is the exchange as the design has it.
type model struct {
	agencies      map[string]*agency
	packages      map[string]*parcel // accepted
	consultations map[string]*consultation
	logs          map[string][]entry
}

// ask answers a question as of a time. The order is the design's: who you are,
// what form your request has, what your role may, and only then what it names.
func (m *model) ask(q question, now time.Time) answer {
	v := verbs[q.verb]
	a := m.agencies[q.who.agency]
	if a == nil || a.suspended || !slices.Contains(a.roles, q.who.role) {
		if v.open || q.wrong != "" {
			return m.refuse(q, requestRefused, "", 403, "identity-refused")
		}
		return m.refuse(q, v.action, q.object(), 403, "identity-refused")
	}
	if w, is := wrong[q.wrong]; is {
		if !v.open || q.wrong == "method" {
			m.refuse(q, requestRefused, "", 0, w.problem)
		}
		return w
	}
	if !v.open && !slices.Contains(strings.Fields(v.roles), q.who.role) {
		return m.refuse(q, v.action, q.object(), 403, "role-forbidden")
	}
	return answers[q.verb](m, q, now)
}

// object is the package that the request names in its path or body.
func (q question) object() string {
	switch q.verb {
	case "show", "manifest", "acknowledge", "mismatch", "content", "attachment", "consult":
		return q.id
	}
	return ""
}

// log adds an entry.
func (m *model) log(owner, action, outcome, problem, object string) {
	if m.agencies[owner] == nil {
		owner = operators
	}
	m.logs[owner] = append(m.logs[owner], entry{action, outcome, problem, object})
}

// refuse answers with a problem, and the asking agency's log tells of it.
func (m *model) refuse(q question, action, object string, status int, problem string) answer {
	m.log(q.who.agency, action, "refused", problem, object)
	return answer{status: status, problem: problem}
}

// no refuses what is not to be had, or not in this way.
func (m *model) no(q question, status int, problem string) answer {
	return m.refuse(q, verbs[q.verb].action, q.object(), status, problem)
}

// notFound is the one answer for what is absent and for what is another's.
func (m *model) notFound(q question) answer { return m.no(q, 404, "not-found") }

// shown answers with what is seen, and the asking agency's log tells of it.
func (m *model) shown(q question, outcome string, seen ...string) answer {
	m.log(q.who.agency, verbs[q.verb].action, outcome, "", q.object())
	return answer{status: 200, seen: seen}
}

var answers map[string]func(*model, question, time.Time) answer

func init() { // a map of methods that itself reaches the map
	answers = map[string]func(*model, question, time.Time) answer{
		"send": (*model).send, "decide": (*model).decide, "list": (*model).list, "show": (*model).show, "manifest": (*model).manifest,
		"acknowledge": (*model).acknowledge, "mismatch": (*model).mismatch, "content": (*model).content, "attachment": (*model).attachment, "consult": (*model).consult,
		"entries": (*model).entries, "entry": (*model).entry,
		"agencies": (*model).directory, "agency": (*model).directory, "keys": (*model).keys, "key": (*model).key,
		"checkpoint": everybody, "witnesses": everybody, "witnessed": nobody, "openapi": everybody, "schema": everybody, "problem": everybody, "tile": (*model).tile, "bundle": (*model).tile,
	}
}

// nobody sees this: the world has no witnesses.
func nobody(*model, question, time.Time) answer { return answer{404, "not-found", nil} }

// everybody sees this.
func everybody(_ *model, q question, _ time.Time) answer {
	return answer{status: 200, seen: []string{q.verb}}
}

// visible are the recipients of a package whose outcome an agency sees: the
// sender all; a recipient its own once it was delivered; while it is pending,
// the originator that it waits for. None: the package does not exist for it.
func (m *model) visible(id, reader string) (p *parcel, recipients []string) {
	p = m.packages[id]
	switch {
	case p == nil:
		return nil, nil
	case p.from == reader:
		return p, p.to
	case p.outcome[reader] != "" && p.outcome[reader] != "pending":
		return p, []string{reader}
	case p.originator == reader && p.outcome[p.to[0]] == "pending":
		return p, p.to
	}
	return nil, nil
}

// descriptor is what a reader sees of a package: the state that is its own,
// for the sender the one that all share, and the outcomes that it may see.
func descriptor(p *parcel, recipients []string) string {
	state, outcomes := p.outcome[recipients[0]], []string{}
	for _, r := range recipients {
		if p.outcome[r] != state {
			state = "mixed"
		}
		outcomes = append(outcomes, r+"="+p.outcome[r]+fmt.Sprint(p.mismatches[r]))
	}
	slices.Sort(outcomes)
	return fmt.Sprint(p.id, " from ", p.from, " to ", p.to, " ", state, " ", outcomes)
}

func (m *model) show(q question, _ time.Time) answer {
	p, recipients := m.visible(q.id, q.who.agency)
	if p == nil {
		return m.notFound(q)
	}
	return m.shown(q, "shown", descriptor(p, recipients))
}

func (m *model) manifest(q question, _ time.Time) answer {
	if p, _ := m.visible(q.id, q.who.agency); p == nil {
		return m.notFound(q)
	}
	return m.shown(q, "shown", "manifest of "+q.id)
}

// list shows one box in the order of the owner's own seq. A poll that returns
// nothing leaves no entry. An originator that is asked finds the package by
// its entry: it is in no box of its own before it can answer.
func (m *model) list(q question, _ time.Time) answer {
	type item struct {
		seq  int
		text string
	}
	var items []item
	for _, p := range m.packages {
		visible, recipients := m.visible(p.id, q.who.agency)
		seq, mine := p.seq[q.who.agency], p.from == q.who.agency
		if visible == nil || mine != (q.box == "outbox") || seq == 0 || seq <= q.after || q.due {
			continue
		}
		text := descriptor(p, recipients)
		if q.state == "" || strings.Contains(text, "] "+q.state+" [") {
			items = append(items, item{seq, text})
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.seq - b.seq })
	var seen []string
	for i, it := range items {
		if i == q.limit {
			seen = append(seen, fmt.Sprint("next ", items[i-1].seq))
			break
		}
		seen = append(seen, it.text)
	}
	if len(seen) == 0 {
		return answer{status: 200}
	}
	return m.shown(q, "shown", seen...)
}

// policy is the verdict as of now: what it is of this package, but for a party
// that is suspended.
func (m *model) policy(p *parcel, recipients ...string) string {
	for _, a := range append([]string{p.from}, recipients...) {
		if m.agencies[a].suspended {
			return "denied"
		}
	}
	return p.verdict
}

func (m *model) send(q question, now time.Time) answer {
	p, old := q.parcel, m.packages[q.parcel.id]
	no := func(status int, problem string) answer {
		return m.refuse(q, "package.send", p.id, status, problem)
	}
	switch {
	case p.fault == "malformed":
		return m.refuse(q, "package.send", "", 400, "envelope-malformed")
	case p.from != q.who.agency:
		return no(422, "envelope-rejected")
	case old != nil && old.from != p.from:
		return no(422, "package-invalid")
	case old != nil && old.payload != p.payload:
		return no(409, "conflict")
	case old != nil:
		m.log(p.from, "package.send", "repeated", "", p.id)
		return answer{status: 200, seen: p.first()}
	case m.agencies[p.from].retired:
		return no(422, "envelope-rejected")
	case now.Sub(p.signed).Abs() > window, p.fault == "stranger":
		return no(422, "package-invalid")
	case m.policy(p, p.to...) == "denied":
		m.log(p.from, "package.send", "denied", "policy-denied", p.id)
		return answer{403, "policy-denied", m.denied(p)}
	case p.fault == "damaged":
		return no(422, "package-invalid")
	}
	m.accept(p)
	return answer{status: 201, seen: p.first()}
}

// denied are the recipients that are denied: those and no others are named.
func (m *model) denied(p *parcel) (all []string) {
	for _, r := range p.to {
		if m.policy(p, r) == "denied" {
			all = append(all, r+"=denied")
		}
	}
	return all
}

// first are the outcomes of the first answer, which a repeat gets again.
func (p *parcel) first() (all []string) {
	for _, r := range p.to {
		all = append(all, r+"="+p.verdict)
	}
	return all
}

// accept records a package: the sender's entry, then one of each agency that
// it gives something to.
func (m *model) accept(p *parcel) {
	m.packages[p.id], p.accepted = p, true
	p.acknowledged, p.outcome, p.seq = map[string]string{}, map[string]string{}, map[string]int{}
	p.fetched, p.mismatches = map[string]bool{}, map[string][]string{}
	m.log(p.from, "package.send", p.verdict, "", p.id)
	p.seq[p.from] = len(m.logs[p.from])
	for _, r := range p.to {
		p.outcome[r] = p.verdict
		if p.verdict == "delivered" {
			m.log(r, "package.deliver", "delivered", "", p.id)
			p.seq[r] = len(m.logs[r])
		}
	}
	if p.originator != "" {
		m.log(p.originator, "package.await", "pending", "", p.id)
	}
}

// decide is a dry run: every recipient is answered, nothing is kept but the
// asker's own entry.
func (m *model) decide(q question, _ time.Time) answer {
	p := q.parcel
	if p.from != q.who.agency || p.fault == "stranger" {
		return m.no(q, 422, "package-invalid")
	}
	worst, seen := p.verdict, []string{}
	for _, r := range p.to {
		v := m.policy(p, r)
		if v == "denied" {
			worst = v
		}
		seen = append(seen, r+"="+v)
	}
	m.log(p.from, "decision.ask", worst, "", p.id)
	return answer{status: 200, seen: seen}
}

func (m *model) acknowledge(q question, now time.Time) answer {
	if q.ack.fault == "malformed" {
		return m.no(q, 400, "envelope-malformed")
	}
	if q.ack.fault == "another" {
		return m.no(q, 422, "envelope-rejected")
	}
	p, _ := m.visible(q.id, q.who.agency)
	if p == nil || p.seq[q.who.agency] == 0 || p.from == q.who.agency {
		return m.notFound(q) // the sender and an originator are no recipients
	}
	me := q.who.agency
	done := p.acknowledged[me]
	switch {
	case done != "" && done == q.ack.payload:
		m.log(me, "package.acknowledge", "repeated", "", p.id)
		return answer{status: 200, seen: []string{p.id}}
	case done != "":
		return m.no(q, 409, "conflict")
	case m.agencies[me].retired:
		return m.no(q, 422, "envelope-rejected")
	case q.ack.fault == "misnamed":
		return m.no(q, 422, "package-invalid")
	case p.outcome[me] != "delivered":
		return m.no(q, 409, "conflict")
	case now.After(p.lapses):
		m.settle(p, me, "expired", "conflict")
		return answer{status: 409, problem: "conflict"}
	case q.ack.fault == "differs":
		return m.no(q, 409, "conflict")
	case m.policy(p, me) == "denied":
		m.settle(p, me, "blocked", "policy-denied")
		return answer{403, "policy-denied", []string{me + "=blocked"}}
	}
	p.acknowledged[me] = q.ack.payload
	m.settle(p, me, "acknowledged", "")
	return answer{status: 201, seen: []string{p.id}}
}

// settle ends the wait for a recipient, and its sender is told.
func (m *model) settle(p *parcel, recipient, outcome, problem string) {
	p.outcome[recipient] = outcome
	m.log(recipient, "package.acknowledge", outcome, problem, p.id)
	m.log(p.from, "package."+outcome, outcome, "", p.id)
}

// consult: a unit consults a package that it may see, a reader the log.
func (m *model) consult(q question, _ time.Time) answer {
	if (q.who.role == unit) != (q.id != "") {
		return m.no(q, 403, "role-forbidden")
	}
	if q.id != "" {
		if p, _ := m.visible(q.id, q.who.agency); p == nil {
			return m.notFound(q)
		}
	}
	m.log(q.who.agency, "consultation.open", "opened", "", q.id)
	return answer{status: 201}
}

// opened keeps a consultation under the id that the exchange gave it.
func (m *model) opened(q question, id string, now time.Time) {
	lasts := 15 * time.Minute
	if q.id == "" {
		lasts = 8 * time.Hour
	}
	m.consultations[id] = &consultation{id, q.who, q.id, now.Add(lasts)}
}

// consulted reports whether the request's consultation is this identity's, of
// this object, and lasts.
func (m *model) consulted(q question, now time.Time) bool {
	c := m.consultations[q.consultation]
	return c != nil && c.who == q.who && c.object == q.object() && now.Before(c.expires)
}

// bytes are for the sender, and for a recipient that has acknowledged, under
// a consultation.
func (m *model) bytes(q question, now time.Time, there func(p *parcel) bool, what string) answer {
	p, _ := m.visible(q.id, q.who.agency)
	me := q.who.agency
	switch {
	case p == nil, p.from != me && p.outcome[me] == "":
		return m.notFound(q)
	case p.from != me && p.outcome[me] != "acknowledged":
		return m.no(q, 409, "conflict")
	case !m.consulted(q, now):
		return m.no(q, 403, "consultation-required")
	case !there(p):
		return m.notFound(q)
	}
	return m.shown(q, "released", what+q.id)
}

func (m *model) content(q question, now time.Time) answer {
	a := m.bytes(q, now, func(*parcel) bool { return true }, "content of ")
	if p := m.packages[q.id]; a.status == 200 && p.from != q.who.agency {
		p.fetched[q.who.agency] = true
	}
	return a
}

// codes are what can be reported of content, as far as the walk does.
var codes = []string{"subjects", "minors", "other"}

// mismatch is for a recipient that had the content: before it nobody could
// tell what differs.
func (m *model) mismatch(q question, _ time.Time) answer {
	if !slices.Contains(codes, q.code) {
		return m.no(q, 400, "request-malformed")
	}
	me := q.who.agency
	p, _ := m.visible(q.id, me)
	switch {
	case p == nil, p.from == me, p.seq[me] == 0:
		return m.notFound(q)
	case p.outcome[me] != "acknowledged", !p.fetched[me]:
		return m.no(q, 409, "conflict")
	case slices.Contains(p.mismatches[me], q.code):
		m.log(me, "package.mismatch", "repeated", "", p.id)
		return answer{status: 200, seen: []string{p.id + " " + q.code}}
	}
	p.mismatches[me] = append(p.mismatches[me], q.code)
	m.log(me, "package.mismatch", "reported", "", p.id)
	m.log(p.from, "package.mismatched", "reported", "", p.id)
	return answer{status: 201, seen: []string{p.id + " " + q.code}}
}

func (m *model) attachment(q question, now time.Time) answer {
	return m.bytes(q, now, func(p *parcel) bool { return q.n < p.attachments }, fmt.Sprint("attachment ", q.n, " of "))
}

// entries shows a reader its own agency's log, and nothing else ever.
func (m *model) entries(q question, now time.Time) answer {
	if !m.consulted(q, now) {
		return m.no(q, 403, "consultation-required")
	}
	var seen []string
	own := m.logs[q.who.agency]
	for i := q.after; i < len(own); i++ {
		if len(seen) == q.limit {
			seen = append(seen, fmt.Sprint("next ", i))
			break
		}
		seen = append(seen, fmt.Sprint(q.who.agency, " ", i+1, " ", own[i]))
	}
	if len(seen) == 0 {
		return answer{status: 200}
	}
	return m.shown(q, "shown", seen...)
}

func (m *model) entry(q question, now time.Time) answer {
	own := m.logs[q.who.agency]
	switch {
	case !m.consulted(q, now):
		return m.no(q, 403, "consultation-required")
	case q.owner != q.who.agency, q.seq > len(own):
		return m.notFound(q)
	}
	return m.shown(q, "shown", fmt.Sprint(q.owner, " ", q.seq, " ", own[q.seq-1]))
}

// directory shows all agencies, or one, with their status.
func (m *model) directory(q question, _ time.Time) answer {
	var seen []string
	for id, a := range m.agencies {
		if q.verb == "agencies" || q.owner == id {
			seen = append(seen, id+map[bool]string{false: " active", true: " suspended"}[a.suspended])
		}
	}
	if len(seen) == 0 {
		return answer{status: 404, problem: "not-found"}
	}
	slices.Sort(seen)
	return answer{status: 200, seen: seen}
}

// keys shows those in use, key any that there was.
func (m *model) keys(q question, _ time.Time) answer {
	a := m.agencies[q.owner]
	if a == nil {
		return answer{status: 404, problem: "not-found"}
	}
	var seen []string
	if a.kid != "" && !a.retired {
		seen = append(seen, a.kid)
	}
	seen = append(seen, a.others...)
	slices.Sort(seen)
	return answer{status: 200, seen: seen}
}

func (m *model) key(q question, _ time.Time) answer {
	a := m.agencies[q.owner]
	if a == nil || q.kid == "" || q.kid != a.kid && !slices.Contains(a.others, q.kid) {
		return answer{status: 404, problem: "not-found"}
	}
	state := " in use"
	if q.kid == a.kid && a.retired {
		state = " retired"
	}
	return answer{status: 200, seen: []string{q.kid + state}}
}

// tile: what the tree does not hold is absent, the rest is everybody's.
func (m *model) tile(q question, _ time.Time) answer {
	size := 0
	for _, log := range m.logs {
		size += len(log)
	}
	if q.width > size {
		return answer{status: 404, problem: "not-found"}
	}
	return answer{status: 200, seen: []string{q.verb}}
}

// The operator's acts.

func (m *model) suspend(id string, yes bool) {
	m.agencies[id].suspended = yes
	m.log(operators, "agency.admit", "done", "", "")
}

func (m *model) retire(id string) {
	m.agencies[id].retired = true
	m.log(operators, "key.retire", "done", "", "")
}

func (m *model) restarted() { m.log(operators, "policy.activate", "done", "", "") }
