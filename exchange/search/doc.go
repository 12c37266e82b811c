// Package search finds entries of one owner's log. It has the query language
// of reviewers, what a query means (Match: by reading one entry), and an
// index that gives the same answer over millions.
//
// A query is made of terms `field:value`. Terms that stand side by side must
// all hold; OR, parentheses and a minus (or NOT) do what they say:
//
//	outcome:denied (recipient:lv/vp OR recipient:it/dcpc) -purpose:prevention
//
// A value that has spaces, parentheses or quotation marks stands in quotation
// marks, with a backslash before a quotation mark or a backslash. `field:*` is
// every entry that has the field, `action:audit.*` every value that begins so.
// There is no search in free text. Time is no term: it is the Range beside the
// query. The empty query is every entry.
//
// A term holds if one of the field's values in the entry is the given one. An
// entry that was erased matches nothing.
//
// The index lives beside the log and has nothing that the log does not have.
// Codes stand in it as they are, so that they can be counted; whatever is
// personal or names a single thing (officer, case, subject, justification,
// package, request) is there only as a keyed token.
package search
