// Package policy decides whether a package may go.
//
// Three inputs make a decision: common (the baseline library in Rego with its dated facts and its registry of
// codes), what each jurisdiction declares about itself (data only) and each jurisdiction's own rules (Rego under its
// own root). Build checks all three and makes an immutable Set; an Engine holds the active Set and decides.
//
// The verdict on a package for one recipient is
//
//	common ∧ sender's send ∧ recipient's receive ∧ onward of each originating jurisdiction that is not a party
//
// A layer can only take away: any deny, an allow that is not exactly true, a baseline rule that is required and not
// met, a code that is not in the registry, all of these deny. Otherwise any pend that no approval has resolved makes
// the package pending. Otherwise it is delivered with the merged obligations of all layers. An engine failure or a
// timeout is an error that wraps ErrEngine: neither a permission nor a denial.
//
// A jurisdiction may build on an archetype of the common library (policy/library/archetype): it inherits allow, deny,
// pend, oblige and advise of it in plain Rego and adds its own. Whoever inherits the permission inherits everything that
// holds it.
//
// No text and no person reaches the engine: of a text it sees length and whether it is a stock phrase (Text), of
// persons nothing. The input is total (every optional member filled, the strictest or neutral value for what is
// absent) and resolved (dated facts are looked up before the evaluation as of the day of the request).
//
// A layer is a pure function of the places of the input that its rules can see; those are worked out when a Set is
// built. It is asked in slices that see little, and what they said is remembered by exactly what they were shown.
//
// The package imports nothing else of this project. It has no HTTP and no SQL.
package policy
