package envelope

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"math/big"
	"slices"
)

// edPoint is a point of edwards25519 (RFC 8032 section 5.1), computed slowly and
// openly, for signatures that no library makes.
type edPoint struct{ x, y *big.Int }

// edOrder is L, the order of the base point.
var edOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

func (p edPoint) add(q edPoint) edPoint {
	mul := func(v ...*big.Int) *big.Int {
		out := big.NewInt(1)
		for _, f := range v {
			out.Mul(out, f).Mod(out, fieldPrime)
		}
		return out
	}
	over := func(n, d *big.Int) *big.Int { return mul(n, new(big.Int).ModInverse(d.Mod(d, fieldPrime), fieldPrime)) }
	k := mul(edwardsD, p.x, q.x, p.y, q.y)
	one := big.NewInt(1)
	return edPoint{
		over(new(big.Int).Add(mul(p.x, q.y), mul(q.x, p.y)), new(big.Int).Add(one, k)),
		over(new(big.Int).Add(mul(p.y, q.y), mul(p.x, q.x)), new(big.Int).Sub(one, k)),
	}
}

func (p edPoint) times(n *big.Int) edPoint {
	out := edPoint{big.NewInt(0), big.NewInt(1)}
	for i := n.BitLen() - 1; i >= 0; i-- {
		out = out.add(out)
		if n.Bit(i) == 1 {
			out = out.add(p)
		}
	}
	return out
}

func (p edPoint) encode() []byte {
	out := littleEndian(p.y)
	out[31] |= byte(p.x.Bit(0)) << 7
	return out
}

// edDecode returns the point of an encoding.
func edDecode(b []byte) edPoint {
	le := slices.Clone(b)
	sign := uint(le[31] >> 7)
	le[31] &= 0x7f
	y := fromLittleEndian(le)
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, big.NewInt(1))
	v := new(big.Int).Add(new(big.Int).Mul(y2, edwardsD), big.NewInt(1))
	x := new(big.Int).ModSqrt(u.Mul(u, v.ModInverse(v.Mod(v, fieldPrime), fieldPrime)).Mod(u, fieldPrime), fieldPrime)
	if x.Bit(0) != sign {
		x.Sub(fieldPrime, x)
	}
	return edPoint{x, y}
}

func littleEndian(n *big.Int) []byte {
	out := n.FillBytes(make([]byte, 32))
	slices.Reverse(out)
	return out
}

func fromLittleEndian(b []byte) *big.Int {
	be := slices.Clone(b)
	slices.Reverse(be)
	return new(big.Int).SetBytes(be)
}

var (
	edBase, _   = hex.DecodeString("5866666666666666666666666666666666666666666666666666666666666666")
	edOrder8, _ = hex.DecodeString("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
)

// edScalar is the secret scalar of a key.
func edScalar(k PrivateKey) *big.Int {
	sum := sha512.Sum512(k.scalar)
	sum[0] &= 248
	sum[31] = sum[31]&127 | 64
	return fromLittleEndian(sum[:32])
}

// edChallenge is h = SHA-512(R || A || message) mod L.
func edChallenge(r, a []byte, input string) *big.Int {
	sum := sha512.Sum512(slices.Concat(r, a, []byte(input)))
	be := sum[:]
	slices.Reverse(be)
	return new(big.Int).Mod(new(big.Int).SetBytes(be), edOrder)
}

// edSign signs with R as it is written and its logarithm, under a public key as
// it is written.
func edSign(k PrivateKey, public, r []byte, log *big.Int, input string) []byte {
	s := new(big.Int).Mul(edChallenge(r, public, input), edScalar(k))
	s.Add(s, log).Mod(s, edOrder)
	return append(slices.Clone(r), littleEndian(s)...)
}

// edKey is a key whose public half is another point.
func edKey(k PrivateKey, point edPoint) PrivateKey {
	k.public = must2(NewPublicKey(ed25519.PublicKey(point.encode()), k.public.use))
	return k
}
