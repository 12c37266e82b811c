package certs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
)

// The roles that an identity may have. Which of them an agency may use is for the registry to say.
const (
	RoleUnit       = "unit"       // sends and receives packages
	RoleDPO        = "dpo"        // data-protection officer
	RolePolicy     = "policy"     // author of the jurisdiction's rules
	RoleSupervisor = "supervisor" // supervisory authority, reads only
	RoleOperator   = "operator"   // the exchange's own people, only from the operator's trust domain
)

// The uses of a registered key, as they stand in the certificate of the key.
const (
	UseSig     = "sig"     // signs manifests, statements and acknowledgements
	UseEnc     = "enc"     // opens content
	UseApprove = "approve" // signs approvals, one person each
	UsePolicy  = "policy"  // signs declared data and rules
)

// keySegment stands where an identity has its role. It is not a role.
const keySegment = "key"

// maxSegment is the longest segment of an SPIFFE ID, in bytes. It is the limit of a DNS label, so that a jurisdiction can be
// a trust domain and a name fits the common name of a certificate.
const maxSegment = 63

// maxIDLength is the longest SPIFFE ID that is looked at, in bytes: five segments and what stands between them.
const maxIDLength = len("spiffe://") + 5*(maxSegment+1)

var (
	roles = []string{RoleUnit, RoleDPO, RolePolicy, RoleSupervisor, RoleOperator}
	uses  = []string{UseSig, UseEnc, UseApprove, UsePolicy}
)

// Identity is who speaks: spiffe://<jurisdiction>/<agency>/<role>/<name>, each segment 1 to 63 of [a-z0-9-].
type Identity struct {
	Jurisdiction string // "ee"
	Agency       string // the short id, "pbgb"
	Role         string // one of the Role constants
	Name         string // "alice"
}

// AgencyID is the agency's id everywhere outside this package: "ee/pbgb".
func (i Identity) AgencyID() string { return i.Jurisdiction + "/" + i.Agency }

// String is the SPIFFE ID.
func (i Identity) String() string {
	return "spiffe://" + i.Jurisdiction + "/" + i.Agency + "/" + i.Role + "/" + i.Name
}

// Validate says whether the identity is one that ParseIdentity would return.
func (i Identity) Validate() error {
	_, err := ParseIdentity(i.String())
	return err
}

// ParseIdentity parses the SPIFFE ID of a client. It accepts exactly the strings that Identity.String makes of known roles:
// no other scheme, case, encoding, port, query, fragment or trailing slash.
func ParseIdentity(uri string) (Identity, error) {
	s, err := segments(uri, 4)
	if err != nil {
		return Identity{}, identityError(uri, err, "spiffe://<jurisdiction>/<agency>/<role>/<name>")
	}
	if !slices.Contains(roles, s[2]) {
		return Identity{}, identityError(uri, fmt.Errorf("unknown role %q", s[2]), "a role of "+strings.Join(roles, ", "))
	}
	return Identity{Jurisdiction: s[0], Agency: s[1], Role: s[2], Name: s[3]}, nil
}

// KeyIdentity is whose key it is and for what: spiffe://<jurisdiction>/<agency>/key/<use>/<name>.
type KeyIdentity struct {
	Jurisdiction string
	Agency       string // the short id
	Use          string // one of the Use constants
	Name         string // tells keys of the same use apart
}

// AgencyID is the agency's id everywhere outside this package: "ee/pbgb".
func (k KeyIdentity) AgencyID() string { return k.Jurisdiction + "/" + k.Agency }

// String is the SPIFFE ID.
func (k KeyIdentity) String() string {
	return "spiffe://" + k.Jurisdiction + "/" + k.Agency + "/" + keySegment + "/" + k.Use + "/" + k.Name
}

// Validate says whether the identity is one that ParseKeyIdentity would return.
func (k KeyIdentity) Validate() error {
	_, err := ParseKeyIdentity(k.String())
	return err
}

// ParseKeyIdentity parses the SPIFFE ID of a registered key, as strictly as ParseIdentity.
func ParseKeyIdentity(uri string) (KeyIdentity, error) {
	const form = "spiffe://<jurisdiction>/<agency>/key/<use>/<name>"
	s, err := segments(uri, 5)
	if err != nil {
		return KeyIdentity{}, identityError(uri, err, form)
	}
	if s[2] != keySegment {
		return KeyIdentity{}, identityError(uri, errors.New("not the SPIFFE ID of a key"), form)
	}
	if !slices.Contains(uses, s[3]) {
		return KeyIdentity{}, identityError(uri, fmt.Errorf("unknown use %q", s[3]), "a use of "+strings.Join(uses, ", "))
	}
	return KeyIdentity{Jurisdiction: s[0], Agency: s[1], Use: s[3], Name: s[4]}, nil
}

// ParseAgencyID splits "ee/pbgb" into jurisdiction and short id.
func ParseAgencyID(id string) (jurisdiction, agency string, err error) {
	jurisdiction, agency, ok := strings.Cut(id, "/")
	if !ok || !validSegment(jurisdiction) || !validSegment(agency) {
		return "", "", identityError(id, errors.New("not an agency id"), "<jurisdiction>/<agency>, each of [a-z0-9-]")
	}
	return jurisdiction, agency, nil
}

// segments gives trust domain and path of an SPIFFE ID, n strings in all. spiffeid normalises nothing, and the alphabet of the
// segments has no second spelling for anything: an identity has one.
func segments(uri string, n int) ([]string, error) {
	if len(uri) > maxIDLength {
		return nil, fmt.Errorf("longer than %d bytes", maxIDLength)
	}
	id, err := spiffeid.FromString(uri)
	if err != nil {
		return nil, fmt.Errorf("not an SPIFFE ID: %w", err)
	}
	s := append([]string{id.TrustDomain().Name()}, strings.Split(strings.TrimPrefix(id.Path(), "/"), "/")...)
	if len(s) != n {
		return nil, fmt.Errorf("%d segments instead of %d", len(s), n)
	}
	for _, segment := range s {
		if !validSegment(segment) {
			return nil, fmt.Errorf("segment %q is not 1 to %d of [a-z0-9-]", segment, maxSegment)
		}
	}
	return s, nil
}

func validSegment(s string) bool {
	if len(s) == 0 || len(s) > maxSegment {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func identityError(subject string, err error, want string) *Error {
	return &Error{
		Check: CheckIdentity, Subject: subject, Want: want, Err: err,
		Fix: "issue a certificate whose only URI SAN is the SPIFFE ID in lower case, without encoding or trailing slash",
	}
}
