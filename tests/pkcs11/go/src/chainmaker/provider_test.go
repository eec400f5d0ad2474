package chainmaker

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"module"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"
	"github.com/tjfoc/gmsm/sm2"
)

// defaultID is the user id that SM2 signatures are made for where nobody says another.
var defaultID = []byte("1234567812345678")

func start(t *testing.T) *Provider {
	t.Helper()
	place := module.ForTest(t)
	provider, err := New(place.Library, place.Label, place.PIN, 10)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.close)
	return provider
}

// fresh is a name that nothing has yet.
func fresh(t *testing.T) string {
	t.Helper()
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		t.Fatal(err)
	}
	return "SM2SignKey" + hex.EncodeToString(random)
}

func parameters(t *testing.T, oid ...int) *pkcs11.Attribute {
	t.Helper()
	der, err := asn1.Marshal(asn1.ObjectIdentifier(oid))
	if err != nil {
		t.Fatal(err)
	}
	return pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, der)
}

// publicPoint reads CKA_EC_PARAMS and CKA_EC_POINT of the private object, which ChainMaker has no public one for.
func publicPoint(t *testing.T, provider *Provider, name string) (asn1.ObjectIdentifier, []byte) {
	t.Helper()
	values, err := provider.Attributes(name, pkcs11.CKO_PRIVATE_KEY, pkcs11.CKA_EC_PARAMS, pkcs11.CKA_EC_POINT)
	if err != nil {
		t.Fatal(err)
	}
	var oid asn1.ObjectIdentifier
	var point []byte
	if _, err := asn1.Unmarshal(values[0], &oid); err != nil {
		t.Fatalf("CKA_EC_PARAMS %x: %v", values[0], err)
	}
	if _, err := asn1.Unmarshal(values[1], &point); err != nil {
		t.Fatalf("CKA_EC_POINT %x: %v", values[1], err)
	}
	return oid, point
}

// sm2Key makes a key and reads its public half.
func sm2Key(t *testing.T, provider *Provider) (string, *sm2.PublicKey) {
	t.Helper()
	for {
		name := fresh(t)
		curve := parameters(t, 1, 2, 156, 10197, 1, 301)
		if err := provider.GenerateKeyPair(name, GenerateSM2, KeySM2, curve); err != nil {
			t.Fatal(err)
		}
		oid, point := publicPoint(t, provider, name)
		if !oid.Equal(asn1.ObjectIdentifier{1, 2, 156, 10197, 1, 301}) {
			t.Fatalf("the curve %v", oid)
		}
		x, y := elliptic.Unmarshal(sm2.P256Sm2(), point)
		if x == nil {
			t.Fatalf("%x is no point", point)
		}
		// The verifier hashes a short coordinate without its leading zero byte: one key in 256 is none for it.
		if len(y.Bytes()) == 32 {
			return name, &sm2.PublicKey{Curve: sm2.P256Sm2(), X: x, Y: y}
		}
	}
}

// SM2 over messages: ZA and SM3 are the module's, and the default user id.
func TestReplaySM2(t *testing.T) {
	module.NeedsChancery(t)
	provider := start(t)
	name, public := sm2Key(t, provider)
	for _, length := range []int{0, 1, 31, 32, 33, 200, 5000} {
		message := bytes.Repeat([]byte{0x5a}, length)
		for _, mechanism := range []uint{SignSM2, SignSM2DER, SignSM2ID, SignSM2IDDER} {
			signature, err := provider.Sign(name, mechanism, message)
			if err != nil {
				t.Fatalf("0x%X over %d bytes: %v", mechanism, length, err)
			}
			// ChainMaker reads DER whatever the mechanism; the slot's quirk gives it that.
			var halves struct{ R, S *big.Int }
			if rest, err := asn1.Unmarshal(signature, &halves); err != nil || len(rest) != 0 {
				t.Fatalf("0x%X: %x is no DER", mechanism, signature)
			}
			if !sm2.Sm2Verify(public, message, defaultID, halves.R, halves.S) {
				t.Fatalf("0x%X over %d bytes: %x does not verify", mechanism, length, signature)
			}
			if sm2.Sm2Verify(public, append(message, 1), defaultID, halves.R, halves.S) {
				t.Fatal("the verifier takes anything")
			}
		}
	}
}

// Twenty callers on ten sessions.
func TestReplaySM2Concurrently(t *testing.T) {
	module.NeedsChancery(t)
	provider := start(t)
	name, public := sm2Key(t, provider)
	var work sync.WaitGroup
	for caller := 0; caller < 20; caller++ {
		work.Add(1)
		go func(caller byte) {
			defer work.Done()
			for n := byte(0); n < 5; n++ {
				message := []byte{caller, n}
				signature, err := provider.Sign(name, SignSM2IDDER, message)
				if err != nil {
					t.Error(err)
					return
				}
				r, s, err := sm2.SignDataToSignDigit(signature)
				if err != nil || !sm2.Sm2Verify(public, message, defaultID, r, s) {
					t.Errorf("%x: %v", signature, err)
				}
			}
		}(byte(caller))
	}
	work.Wait()
}

// A key is found by its label, or else by its id, and not by half of either.
func TestReplayNames(t *testing.T) {
	provider := start(t)
	name := fresh(t)
	if err := provider.GenerateKeyPair(name, pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKK_EC, parameters(t, 1, 2, 840, 10045, 3, 1, 7)); err != nil {
		t.Fatal(err)
	}
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		values, err := provider.Attributes(name, class, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
		if err != nil || string(values[0]) != name || string(values[1]) != name {
			t.Fatalf("%q, %v", values, err)
		}
	}
	if _, err := provider.Sign(name[:len(name)-1], pkcs11.CKM_ECDSA, make([]byte, 32)); err != errNotFound {
		t.Fatal(err)
	}
}

// The wrapper passes CKM_ECDSA's output on to a verifier of DER: a slot for ChainMaker has the quirk `ecdsa_der`.
func TestReplayECDSA(t *testing.T) {
	module.NeedsChancery(t)
	provider := start(t)
	name := fresh(t)
	if err := provider.GenerateKeyPair(name, pkcs11.CKM_EC_KEY_PAIR_GEN, pkcs11.CKK_EC, parameters(t, 1, 2, 840, 10045, 3, 1, 7)); err != nil {
		t.Fatal(err)
	}
	_, point := publicPoint(t, provider, name)
	x, y := elliptic.Unmarshal(elliptic.P256(), point)
	public := &ecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
	for n := byte(0); n < 20; n++ {
		digest := sha256.Sum256([]byte{n})
		signature, err := provider.Sign(name, pkcs11.CKM_ECDSA, digest[:])
		if err != nil || !ecdsa.VerifyASN1(public, digest[:], signature) {
			t.Fatalf("%x: %v", signature, err)
		}
	}
}

// RSA over messages, with modulus and exponent read from the private object.
func TestReplayRSA(t *testing.T) {
	provider := start(t)
	name := fresh(t)
	err := provider.GenerateKeyPair(name, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, pkcs11.CKK_RSA,
		pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	if err != nil {
		t.Fatal(err)
	}
	values, err := provider.Attributes(name, pkcs11.CKO_PRIVATE_KEY, pkcs11.CKA_MODULUS, pkcs11.CKA_PUBLIC_EXPONENT)
	if err != nil {
		t.Fatal(err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(values[0]), E: int(new(big.Int).SetBytes(values[1]).Int64())}
	message := []byte("a transaction of a chain that uses RSA")
	signature, err := provider.Sign(name, pkcs11.CKM_SHA256_RSA_PKCS, message)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
		t.Fatal(err)
	}
}
