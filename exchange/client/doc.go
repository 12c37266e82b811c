// Package client is the Go client of an exchange.
//
//	c, err := client.FromProfile("profiles/ee-pbgb-unit")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	sent, err := c.Send(ctx, client.SendInput{
//		To:      []string{"lv/vp"},
//		Meta:    meta,
//		Message: envelope.Message{Text: "…"},
//		Reason:  "Joint investigation EE-2026-0117, request of the prosecutor.",
//	})
//	defer sent.Close()
//
// It believes a server nothing that can be checked:
//
//   - A receipt is returned only after it was verified with the ledger's keys of the profile: signature, inclusion, and that its
//     entry says what was asked, for the own agency.
//   - Each checkpoint must belong to the one history that the profile's newest checkpoint stands for. The proof is made from
//     the ledger's tiles, each of them proven.
//   - Keys come from the directory, trust in them from the profile's own anchors: before anything is sealed to a key, and
//     before anything is verified with it.
//   - Manifest and content are opened by envelope.Open, attachments to the last byte.
//
// What does not verify is a *VerifyError. A refusal of the server is an *api.Problem, and errors.Is tells its type:
// errors.Is(err, api.NotFound). What could not be reached is an *UnavailableError.
//
// Calls are repeated only where that is safe: reads; posts of packages and acknowledgements, which the exchange answers with
// the first answer; and any call after 429, which says that nothing happened. Retry-After is kept to, and spread.
package client
