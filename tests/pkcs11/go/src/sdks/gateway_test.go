package sdks

import (
	goecdsa "crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fabric"
	"module"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"
)

// key has Fabric's provider make a key, as enrolment does, and leaves the module finalized.
func key(t *testing.T) *fabric.Key {
	t.Helper()
	place := module.ForTest(t)
	provider, err := fabric.New(fabric.Options{Library: place.Library, Label: place.Label, PIN: place.PIN, Security: 256})
	if err != nil {
		t.Fatal(err)
	}
	made, err := provider.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	finalize(t, place)
	return made
}

// finalize ends what the process has of the module.
func finalize(t *testing.T, place module.Place) {
	t.Helper()
	context := pkcs11.New(place.Library)
	if err := context.Finalize(); err != nil {
		t.Fatal(err)
	}
}

func gateway(t *testing.T) *Gateway {
	t.Helper()
	gateway, err := NewGateway(module.ForTest(t).Library)
	if err != nil {
		t.Fatal(err)
	}
	return gateway
}

func digestOf(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

// Signers of one factory sign at the same time; factory follows factory in one process.
func TestReplayGateway(t *testing.T) {
	made, place := key(t), module.ForTest(t)
	for round := 0; round < 3; round++ {
		gateway := gateway(t)
		var work sync.WaitGroup
		for n := 0; n < 8; n++ {
			signer, err := gateway.Signer(place.Label, place.PIN, made.SKI)
			if err != nil {
				t.Fatal(err)
			}
			work.Add(1)
			go func() {
				defer work.Done()
				digest := digestOf("a proposal")
				for each := 0; each < 5; each++ {
					signature, err := signer.Sign(digest)
					if err != nil || !goecdsa.VerifyASN1(made.Public, digest, signature) {
						t.Errorf("%x: %v", signature, err)
					}
				}
				if err := signer.Close(); err != nil {
					t.Error(err)
				}
			}()
		}
		work.Wait()
		if err := gateway.Dispose(); err != nil {
			t.Fatal(err)
		}
	}
}

// What the gateway's tests want to read in errors.
func TestReplayGatewayErrors(t *testing.T) {
	made, place := key(t), module.ForTest(t)
	gateway := gateway(t)
	defer func() {
		if err := gateway.Dispose(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := NewGateway(place.Library); err == nil || !strings.Contains(err.Error(), "CKR_CRYPTOKI_ALREADY_INITIALIZED") {
		t.Fatalf("a second factory: %v", err)
	}
	if _, err := gateway.Signer(place.Label, "wrong", made.SKI); err == nil || !strings.Contains(err.Error(), "CKR_PIN_INCORRECT") {
		t.Fatalf("a wrong PIN: %v", err)
	}
	if _, err := gateway.Signer("nobody's", place.PIN, made.SKI); err == nil {
		t.Fatal("a token that is not there was found")
	}
	if _, err := gateway.Signer(place.Label, place.PIN, digestOf("nobody's")); err == nil || err.Error() != "no such key" {
		t.Fatalf("a key that is not there: %v", err)
	}
	signer, err := gateway.Signer(place.Label, place.PIN, made.SKI)
	if err != nil {
		t.Fatal(err)
	}
	if err := signer.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = signer.Sign(digestOf("after Close"))
	var answer pkcs11.Error
	if !errors.As(err, &answer) || answer != pkcs11.CKR_SESSION_HANDLE_INVALID {
		t.Fatal(err)
	}
}
