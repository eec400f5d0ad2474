package fabric

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha512"
	"math/big"
	"testing"

	"github.com/miekg/pkcs11"
)

// Digests of every length that a mechanism without a hash takes; longer ones than the order are cut as ECDSA says.
func TestReplayDigests(t *testing.T) {
	for _, security := range []int{256, 384} {
		options := place(t)
		options.Security = security
		provider := start(t, options)
		key := generate(t, provider)
		hash := sha512.Sum512([]byte("a certificate that SHA-512 is used for"))
		for _, length := range []int{1, 20, 28, 31, 32, 33, 47, 48, 49, 63, 64} {
			signature, err := provider.SignRaw(key.SKI, hash[:length])
			if err != nil {
				t.Fatalf("%d bytes: %v", length, err)
			}
			if len(signature) != security/4 {
				t.Fatalf("a signature of %d bytes", len(signature))
			}
			halves := Split(signature)
			if !ecdsa.Verify(key.Public, hash[:length], halves.R, halves.S) {
				t.Fatalf("%d bytes: %x does not verify", length, signature)
			}
		}
	}
}

// r and s come padded to the field's size: among 1,200 values some begin with a zero byte (all but once in 100 runs).
func TestReplayPadding(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	digest, short := digestOf("padding"), 0
	for n := 0; n < 600; n++ {
		raw, err := provider.SignRaw(key.SKI, digest)
		if err != nil {
			t.Fatal(err)
		}
		halves := Split(raw)
		if len(raw) != 64 || !ecdsa.Verify(key.Public, digest, halves.R, halves.S) {
			t.Fatalf("%x does not verify", raw)
		}
		if raw[0] == 0 || raw[32] == 0 {
			short++
		}
	}
	t.Logf("%d of 600 had a short half", short)
}

// Fabric's tests sign one digest with one key until the module gives the greater s, and would never end with a module that
// avoids it or whose nonces are determined by the digest.
func TestReplayHighS(t *testing.T) {
	for _, security := range []int{256, 384} {
		options := place(t)
		options.Security = security
		provider := start(t, options)
		key := generate(t, provider)
		order, digest := key.Public.Params().N, digestOf("one digest")
		seen := map[string]bool{}
		for high := false; !high; {
			raw, err := provider.SignRaw(key.SKI, digest)
			if err != nil {
				t.Fatal(err)
			}
			if seen[string(raw)] {
				t.Fatal("two signatures are the same: nonces are determined by the digest")
			}
			seen[string(raw)] = true
			if len(seen) > 64 {
				t.Fatal("64 signatures, none of them with the greater s")
			}
			if high = HighS(Split(raw), order); high {
				low, err := provider.LowS(key.SKI, raw)
				if err != nil || !ecdsa.VerifyASN1(key.Public, digest, low) {
					t.Fatalf("%x does not verify with the smaller s: %v", low, err)
				}
			}
		}
	}
}

// Fabric 1.4 verifies through the module.
func TestReplayVerify(t *testing.T) {
	for _, security := range []int{256, 384} {
		options := place(t)
		options.Security = security
		provider := start(t, options)
		key := generate(t, provider)
		digest := digestOf("verified by the module")
		raw, err := provider.SignRaw(key.SKI, digest)
		if err != nil {
			t.Fatal(err)
		}
		signature := Split(raw)
		if err := provider.Verify(key.SKI, digest, signature); err != nil {
			t.Fatal(err)
		}
		other := Signature{signature.R, new(big.Int).Sub(key.Public.Params().N, signature.S)}
		if err := provider.Verify(key.SKI, digest, other); err != nil {
			t.Fatalf("the other s verifies as well: %v", err)
		}
		code(t, provider.Verify(key.SKI, digestOf("another"), signature), pkcs11.CKR_SIGNATURE_INVALID)
		code(t, provider.Verify(key.SKI, digest, Signature{signature.S, signature.R}), pkcs11.CKR_SIGNATURE_INVALID)
	}
}

// The size is asked for first, and the operation goes on afterwards: the binding does both, and a signature that was made
// twice would be in the log twice.
func TestReplaySignAfterSign(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	err := provider.withSession(func(session pkcs11.SessionHandle) error {
		private, err := provider.handle(session, key.SKI, true)
		if err != nil {
			return err
		}
		mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}
		if err := provider.context.SignInit(session, mechanism, private); err != nil {
			return err
		}
		first, err := provider.context.Sign(session, digestOf("one"))
		if err != nil || bytes.Equal(first, make([]byte, 64)) {
			t.Fatalf("%x, %v", first, err)
		}
		// The operation ended with the signature.
		_, err = provider.context.Sign(session, digestOf("two"))
		code(t, err, pkcs11.CKR_OPERATION_NOT_INITIALIZED)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
