package exchange

import "github.com/liaison-exchange/liaison/policy"

// ChangeOfRecorded compares a recorded verdict with a decision, as a replay does
// and by decoding all of it.
func ChangeOfRecorded(text []byte, now *policy.Decision) (fast, slow string, err error) {
	r := &replay{revisions: map[string]map[string]string{}}
	v, err := readVerdict(text, r.revisionsOf)
	if err != nil {
		return "", "", err
	}
	if fast, err = v.changeKind(now); err != nil {
		return "", "", err
	}
	was, err := v.decode()
	if err != nil {
		return "", "", err
	}
	return fast, changeKind(was, now), nil
}

// EncodeVerdict is how a decision is recorded.
func EncodeVerdict(d policy.Decision) []byte { return encodeVerdict(d) }
