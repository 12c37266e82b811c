// Package envelope is the format of what agencies exchange: manifest, statement,
// content, attachments, acknowledgement, approval, and their keys.
package envelope
