// Package attack attacks a whole exchange, over real connections with real
// certificates and real policies. It has tests only.
//
// An attack is one request that is wrong in one way, with all that may come
// of it: the answer, the one entry in the log of the agency that sent it, and
// nothing else. After each one the boxes of every agency are what they were,
// the package is not there, nothing was fetched from anywhere, and the time
// and memory that it took are bounded. What is signed is put together byte by
// byte and signed with the right keys, so that nothing but the one flaw is
// refused: at the end of each family the same package without a flaw is
// accepted.
//
// Attacks bear the number of their row in the catalogue of attacks (J12,
// Z6). Where the design answers otherwise than the row, the case says why.
package attack
