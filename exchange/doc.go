// Package exchange is the domain of Liaison: who may do what with a package,
// what becomes of it, and the one door through which anything becomes true.
// It knows no HTTP and no SQL.
//
// # The life of a package
//
// A unit seals content for its recipients and signs manifest and statement;
// package envelope has the format. Then, in this order, because cheap
// refusals come first and a promise leaves last:
//
//  1. Who. The server verified the certificate; the gate (Service, each
//     method's first statement) asks whether agency and role may do this.
//  2. What. Manifest and statement are parsed strictly and their signatures
//     verified against the key directory. A package that was accepted before
//     is answered here, with its first answer.
//  3. May it. Policy decides for each recipient, from manifest and statement,
//     before any content is used. One denied recipient: nothing is released.
//  4. Bytes. Content is held against the manifest, attachments are streamed
//     to the blob store and are durable before any row names them.
//  5. Record. One change through the Journal writes the package, its
//     deliveries, its decisions and an entry for each agency that it concerns.
//     The change asks again whether agency, key and policy are still those
//     that the decision stood on. Only then the receipt leaves.
//  6. A recipient lists, looks, acknowledges. Policy is asked again, as of
//     now; what it denies now is blocked and its content never released.
//  7. A consultation says who reads and why; then content is released, and an
//     entry says so before the first byte.
//
// # The journal
//
// Every effect and its entries are one database transaction, shared by all
// that wait at that moment. See Journal.
//
// # Refusals
//
// A method's error is a *Refusal. Each refusal of a caller whose identity
// holds is an entry of its agency; what its Reason says is for that agency's
// data-protection officer and the log, never for the answer.
package exchange
