package envelope

import (
	"encoding/hex"
	"math/big"
	"slices"
)

// Numbers of edwards25519 (RFC 8032 section 5.1).
var (
	fieldPrime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	edwardsD   = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), fieldPrime)
		d.Mul(d, big.NewInt(-121665))
		return d.Mod(d, fieldPrime)
	}()
)

// smallOrder are the y coordinates of the eight points of small order, little
// endian. Under such a key one signature fits many messages.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

// isSmallOrder says whether b encodes, canonically but for the sign, a point of
// small order.
func isSmallOrder(b []byte) bool {
	le := slices.Clone(b)
	le[31] &= 0x7f
	return slices.Contains(smallOrder, hex.EncodeToString(le))
}

// isStrongEdwards says whether b encodes, canonically, a point of edwards25519
// that is not of small order.
func isStrongEdwards(b []byte) bool {
	if len(b) != 32 || isSmallOrder(b) {
		return false
	}
	le := slices.Clone(b)
	le[31] &= 0x7f
	slices.Reverse(le)
	y := new(big.Int).SetBytes(le)
	if y.Cmp(fieldPrime) >= 0 {
		return false
	}
	// x² = (y²-1) / (dy²+1) has a root.
	one := big.NewInt(1)
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, one)
	v := new(big.Int).Mul(y2, edwardsD)
	v.Add(v, one).Mod(v, fieldPrime)
	v.ModInverse(v, fieldPrime)
	u.Mul(u, v).Mod(u, fieldPrime)
	return big.Jacobi(u, fieldPrime) >= 0
}
