package attack_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/liaison-exchange/liaison/exchange/envelope"
)

// TestSignatures: a signature is 64 bytes that hold for exactly these bytes
// (J16 to J18).
func TestSignatures(t *testing.T) {
	t.Parallel()
	a := enter(t)
	k := a.delivered()
	eddsa := map[string]envelope.PrivateKey{
		"ee/pbgb": a.register("ee/pbgb", envelope.UseSign, envelope.EdDSA), "lv/vp": a.register("lv/vp", envelope.UseSign, envelope.EdDSA),
	}
	a.run(each(2, attacks(carriers(k), ecdsaForms()))...)
	a.run(each(3, attacks(carriers(k), lengths()))...)
	a.run(each(2, attacks(carriers(k), moved()))...)
	a.run(each(2, attacks(carriersBy(k, eddsa), edwardsForms()))...)
	a.given(k)
	a.accepted()
	a.accepted(func(f *forgery) { f.signWith(eddsa["ee/pbgb"]) })
}

// resigned replaces a good signature by what becomes of it.
func resigned(change func(signature []byte) []byte) func(*jws) {
	return func(j *jws) {
		key := j.key
		j.signature = func(input string) string { return string(change([]byte(sign(key, input)))) }
	}
}

// ecdsaForms: r and s as they must not be (J18). For the twin n-s see
// TestReplay: it is another spelling of the same package.
func ecdsaForms() (flaws []flaw) {
	n := elliptic.P256().Params().N
	word := func(v *big.Int) []byte { return v.FillBytes(make([]byte, 32)) }
	halves := func(s []byte) (r, v *big.Int) { return new(big.Int).SetBytes(s[:32]), new(big.Int).SetBytes(s[32:]) }
	zero, one, all := make([]byte, 32), word(big.NewInt(1)), slices.Repeat([]byte{0xff}, 32)
	for name, change := range map[string]func(s []byte) []byte{
		"r is 0": func(s []byte) []byte { return append(zero[:32:32], s[32:]...) }, "s is 0": func(s []byte) []byte { return append(s[:32:32], zero...) },
		"both 0": func([]byte) []byte { return make([]byte, 64) }, "both 1": func([]byte) []byte { return append(one[:32:32], one...) },
		"r is n": func(s []byte) []byte { return append(word(n), s[32:]...) }, "s is n": func(s []byte) []byte { return append(s[:32:32], word(n)...) },
		"r is n-1":   func(s []byte) []byte { return append(word(new(big.Int).Sub(n, big.NewInt(1))), s[32:]...) },
		"r is p":     func(s []byte) []byte { return append(word(elliptic.P256().Params().P), s[32:]...) },
		"r all ones": func(s []byte) []byte { return append(all[:32:32], s[32:]...) },
		"s all ones": func(s []byte) []byte { return append(s[:32:32], all...) },
		"n-r":        func(s []byte) []byte { r, _ := halves(s); return append(word(r.Sub(n, r)), s[32:]...) },
		"swapped":    func(s []byte) []byte { return append(slices.Clone(s[32:]), s[:32]...) },
		"r+1":        func(s []byte) []byte { s[31]++; return s },
		"s+1":        func(s []byte) []byte { s[63]++; return s },
		"r twice":    func(s []byte) []byte { return append(s[:32:32], s[:32]...) },
		"backwards":  func(s []byte) []byte { slices.Reverse(s); return s },
		"first bit":  func(s []byte) []byte { s[0] ^= 0x80; return s },
		"last bit":   func(s []byte) []byte { s[63] ^= 1; return s },
		"middle bit": func(s []byte) []byte { s[33] ^= 4; return s },
		"complement": func(s []byte) []byte {
			for i := range s {
				s[i] = ^s[i]
			}
			return s
		},
		"little r, s": func(s []byte) []byte { slices.Reverse(s[:32]); slices.Reverse(s[32:]); return s },
	} {
		flaws = append(flaws, flaw{"J18", "ES256: " + name, resigned(change), forgedAs("signature")})
	}
	return append(flaws, flaw{"J18", "ES256: DER", resigned(func(s []byte) []byte {
		r, v := halves(s)
		raw, err := asn1.Marshal(struct{ R, S *big.Int }{r, v})
		must(err)
		return raw
	}), form("signature-length")}, flaw{"J18", "ES256: DER, cut to 64 bytes", resigned(func(s []byte) []byte {
		r, v := halves(s)
		raw, err := asn1.Marshal(struct{ R, S *big.Int }{r, v})
		must(err)
		return raw[:64]
	}), forgedAs("signature")})
}

// lengths: a good signature cut short, or with more behind it (J18).
func lengths() (flaws []flaw) {
	for n := range 130 {
		if n == 64 || n > 72 && n != 96 && n != 128 && n != 129 {
			continue
		}
		reason := "signature-length"
		if n == 0 {
			reason = "parts"
		}
		flaws = append(flaws, flaw{"J18", fmt.Sprintf("%d bytes", n), resigned(func(s []byte) []byte { return append(s, make([]byte, 66)...)[:min(n, 130)] }), form(reason)})
	}
	return append(flaws, flaw{"J18", "a long signature", resigned(func(s []byte) []byte { return append(s, make([]byte, 30_000)...) }), form("*")})
}

// moved: a good signature over other bytes than those that are sent.
func moved() (flaws []flaw) {
	over := func(name string, change func(input string) string) {
		flaws = append(flaws, flaw{"J18", "signed is " + name, func(j *jws) {
			key := j.key
			j.signature = func(input string) string { return sign(key, change(input)) }
		}, forgedAs("signature")})
	}
	over("the header alone", func(s string) string { return s[:strings.IndexByte(s, '.')] })
	over("the payload alone", func(s string) string { return s[strings.IndexByte(s, '.')+1:] })
	over("header and payload without the dot", func(s string) string { return strings.Replace(s, ".", "", 1) })
	over("nothing", func(string) string { return "" })
	over("with a dot at the end", func(s string) string { return s + "." })
	over("with a line at the end", func(s string) string { return s + "\n" })
	over("payload before header", func(s string) string { h, p, _ := strings.Cut(s, "."); return p + "." + h })
	over("what is encoded", func(s string) string { h, p, _ := strings.Cut(s, "."); return decode(h) + "." + decode(p) })
	over("the payload, not encoded", func(s string) string { h, p, _ := strings.Cut(s, "."); return h + "." + decode(p) })
	for name, change := range map[string]func(j *jws, h, p string) (string, string){
		"payload with a blank more":     func(j *jws, h, _ string) (string, string) { return h, encode(j.payload + " ") },
		"header with a blank more":      func(j *jws, _, p string) (string, string) { return encode(j.header + " "), p },
		"payload with a blank in front": func(j *jws, h, _ string) (string, string) { return h, encode(" " + j.payload) },
		"header in another order": func(j *jws, _, p string) (string, string) {
			kid := `"kid":` + quote(j.key.Kid()) + `,`
			other := jws{header: j.header}
			in(&other.header, kid, "")
			return encode("{" + kid + other.header[1:]), p
		},
		"payload with a tab more": func(j *jws, h, _ string) (string, string) { return h, encode(j.payload + "\t") },
	} {
		flaws = append(flaws, flaw{"J18", "sent is the " + name, func(j *jws) {
			j.finished = func(compact string) string {
				parts := strings.Split(compact, ".")
				h, p := change(j, parts[0], parts[1])
				return h + "." + p + "." + parts[2]
			}
		}, forgedAs("signature")})
	}
	return flaws
}

// edwardsForms: R and S as they must not be (J17).
func edwardsForms() (flaws []flaw) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	plus := func(times int64) func(s []byte) []byte {
		return func(sig []byte) []byte {
			s := slices.Clone(sig[32:])
			slices.Reverse(s)
			v := new(big.Int).SetBytes(s)
			v.Add(v, new(big.Int).Mul(order, big.NewInt(times))).FillBytes(s)
			slices.Reverse(s)
			return append(sig[:32:32], s...)
		}
	}
	with := func(name string, change func(s []byte) []byte) {
		flaws = append(flaws, flaw{"J17", "EdDSA: " + name, resigned(change), forgedAs("signature")})
	}
	for times := int64(1); times <= 14; times++ {
		with(fmt.Sprintf("S+%dL", times), plus(times))
	}
	// The points of small order, and their spellings that are not canonical.
	for _, point := range []string{
		"0100000000000000000000000000000000000000000000000000000000000000", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"0000000000000000000000000000000000000000000000000000000000000080", "0000000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"0100000000000000000000000000000000000000000000000000000000000080", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		r, err := hex.DecodeString(point)
		must(err)
		with("R of small order "+point[:4]+point[60:]+", S 0", func([]byte) []byte { return append(r[:32:32], make([]byte, 32)...) })
		with("R of small order "+point[:4]+point[60:]+", S kept", func(s []byte) []byte { return append(r[:32:32], s[32:]...) })
	}
	with("zeroes", func([]byte) []byte { return make([]byte, 64) })
	with("ones", func([]byte) []byte { return slices.Repeat([]byte{0xff}, 64) })
	with("swapped", func(s []byte) []byte { return append(slices.Clone(s[32:]), s[:32]...) })
	with("R with the other sign", func(s []byte) []byte { s[31] ^= 0x80; return s })
	with("S with its highest bit", func(s []byte) []byte { s[63] |= 0x80; return s })
	with("a bit of R", func(s []byte) []byte { s[0] ^= 1; return s })
	with("a bit of S", func(s []byte) []byte { s[32] ^= 1; return s })
	for name, options := range map[string]*ed25519.Options{"Ed25519ph": {Hash: crypto.SHA512}, "Ed25519ctx": {Context: "liaison"}} {
		flaws = append(flaws, flaw{"J17", "EdDSA: " + name, func(j *jws) {
			key := j.key.Signer().(ed25519.PrivateKey)
			j.signature = func(input string) string {
				message := []byte(input)
				if options.Hash != 0 {
					h := options.Hash.New()
					h.Write(message)
					message = h.Sum(nil)
				}
				s, err := key.Sign(nil, message, options)
				must(err)
				return string(s)
			}
		}, forgedAs("signature")})
	}
	return flaws
}
