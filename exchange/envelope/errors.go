package envelope

import "errors"

// The three ways in which a part can be wrong. The first two are sentinels for
// errors.Is; the third is told to the sender and is matched with errors.As.
var (
	// ErrMalformed: wrong without looking at a key or the registry (400
	// envelope-malformed). Detail says where and what was expected.
	ErrMalformed = errors.New("envelope malformed")

	// ErrRejected: signature, key or identity do not hold (422
	// envelope-rejected). Constant on the wire; Reason is for log and entry only.
	ErrRejected = errors.New("envelope rejected")
)

// InvalidError says what is wrong with a package whose signature and identity
// hold (422 package-invalid). All three texts are constants of this package and
// JSON pointers: nothing in them is taken from the input.
type InvalidError struct {
	Code   string // machine reason, one of the Reason constants
	Detail string // what is wrong, and where
	Fix    string // what the sender can do about it
}

func (e *InvalidError) Error() string { return "package invalid: " + e.Code }

// Reasons: the bounded vocabulary of Reason. They are labels for logs, metrics
// and entries, never derived from input.
const (
	// Form (ErrMalformed).
	ReasonTooLarge        = "too-large"
	ReasonParts           = "parts"     // a compact JWS has exactly three non-empty parts
	ReasonBase64          = "base64url" // alphabet, padding, trailing bits
	ReasonJSON            = "json"
	ReasonDepth           = "depth"
	ReasonCharacters      = "characters" // invalid UTF-8, controls, surrogates, bidirectional controls
	ReasonDuplicateMember = "duplicate-member"
	ReasonUnknownMember   = "unknown-member"
	ReasonMissingMember   = "missing-member"
	ReasonType            = "type"
	ReasonNumber          = "number"
	ReasonValue           = "value"
	ReasonCount           = "count"
	ReasonDuplicateValue  = "duplicate-value"
	ReasonAlg             = "alg"
	ReasonTyp             = "typ"
	ReasonSignatureLength = "signature-length"
	ReasonCurve           = "curve" // a point that is not on its curve, or of small order
	ReasonKeyMismatch     = "key-mismatch"

	// Signature, key, identity (ErrRejected).
	ReasonKid        = "kid"
	ReasonKeyUse     = "key-use"
	ReasonKeyAlg     = "key-alg"
	ReasonSignature  = "signature"
	ReasonPairKey    = "pair-key"
	ReasonPairIssuer = "pair-issuer"
	ReasonUnopenable = "unopenable" // no key of ours opens the content, or it was altered
	ReasonNotForUs   = "not-for-us"
	ReasonPlaintext  = "plaintext" // digest or form of the opened message
	ReasonAttachment = "attachment"

	// Told to the sender (InvalidError).
	ReasonExchange         = "exchange-other"
	ReasonIAT              = "iat-window"
	ReasonEXP              = "exp-range"
	ReasonExpired          = "expired"
	ReasonPairJTI          = "pair-jti"
	ReasonStatementDigest  = "statement-digest"
	ReasonContentDigest    = "content-digest"
	ReasonContentSize      = "content-size"
	ReasonContentIss       = "content-iss"
	ReasonContentAud       = "content-aud"
	ReasonContentJTI       = "content-jti"
	ReasonRecipientUnknown = "recipient-key-unknown"
	ReasonRecipientRetired = "recipient-key-unusable"
	ReasonRecipientExtra   = "recipient-extra"
	ReasonRecipientTwice   = "recipient-twice"
	ReasonRecipientMissing = "recipient-missing"

	// ReasonOther labels an error that did not come from this package.
	ReasonOther = "other"
)

// fault is an ErrMalformed or ErrRejected with its reason.
type fault struct {
	kind   error
	reason string
	detail string
}

func (f *fault) Error() string {
	if f.detail == "" {
		return f.kind.Error() + ": " + f.reason
	}
	return f.kind.Error() + ": " + f.reason + ": " + f.detail
}

func (f *fault) Unwrap() error { return f.kind }

func malformed(reason, detail string) error {
	return &fault{kind: ErrMalformed, reason: reason, detail: detail}
}

func rejected(reason string) error { return &fault{kind: ErrRejected, reason: reason} }

// Reason returns the machine reason of an error of this package: one of the
// Reason constants, "" for nil, ReasonOther for any other error.
func Reason(err error) string {
	var f *fault
	var v *InvalidError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &f):
		return f.reason
	case errors.As(err, &v):
		return v.Code
	default:
		return ReasonOther
	}
}

// Detail returns a text that is safe for the wire: a JSON pointer of known
// member names and indices, and what was expected there. It never repeats input,
// and it is empty for ErrRejected and for errors of others.
func Detail(err error) string {
	var f *fault
	var v *InvalidError
	switch {
	case errors.As(err, &f) && errors.Is(f, ErrMalformed):
		return f.detail
	case errors.As(err, &v):
		return v.Detail
	default:
		return ""
	}
}
