// Package authorization holds a second opinion on who may see and do what: a
// small model, written from the design and not from the code, that a random
// walk compares with a whole exchange. Beside it stand the tables of the
// attack catalogue on authorization (rows Z1 to Z14), the byte-for-byte and
// statistical tests that what is absent and what is another's look the same.
// It has tests only.
package authorization
