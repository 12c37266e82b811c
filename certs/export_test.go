package certs

// Replacement gives the steps of ReplaceKeyPair to tests, which stop between them as a crash would.
var Replacement = replacement
