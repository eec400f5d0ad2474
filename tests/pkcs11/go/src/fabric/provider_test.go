package fabric

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"module"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"
)

// place is the token under test as Fabric's configuration names it.
func place(t *testing.T) Options {
	token := module.ForTest(t)
	return Options{Library: token.Library, Label: token.Label, PIN: token.PIN, Security: 256}
}

func start(t *testing.T, options Options) *Provider {
	t.Helper()
	provider, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.closeAll)
	return provider
}

func code(t *testing.T, err error, want uint) {
	t.Helper()
	var answer pkcs11.Error
	if !errors.As(err, &answer) || uint(answer) != want {
		t.Fatalf("0x%X was wanted: %v", want, err)
	}
}

func digestOf(text string) []byte {
	hash := sha256.Sum256([]byte(text))
	return hash[:]
}

// mustSign signs as Fabric does, and lets Go's own ECDSA judge.
func mustSign(t *testing.T, provider *Provider, key *Key) {
	t.Helper()
	digest := make([]byte, 32)
	if _, err := rand.Read(digest); err != nil {
		t.Fatal(err)
	}
	signature, err := provider.Sign(key.SKI, digest)
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(key.Public, digest, signature) {
		t.Fatalf("%x over %x does not verify", signature, digest)
	}
}

func generate(t *testing.T, provider *Provider) *Key {
	t.Helper()
	key, err := provider.Generate(false)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// The token is the first whose label is the same to the letter; slots count from 1.
func TestReplayStartUp(t *testing.T) {
	options := place(t)
	provider := start(t, options)
	if provider.slot < 1 {
		t.Fatalf("slot %d: slots count from 1", provider.slot)
	}
	for _, label := range []string{"no such token", strings.ToUpper(options.Label) + "x", options.Label[:len(options.Label)-1]} {
		options.Label = label
		if _, err := New(options); err == nil || !strings.Contains(err.Error(), "no token has the label") {
			t.Fatalf("label %q: %v", label, err)
		}
	}
}

// A PIN is checked before anything else, however often somebody logged in already.
func TestReplayPINs(t *testing.T) {
	options := place(t)
	for _, loggedIn := range []bool{false, true} {
		if loggedIn {
			mustSign(t, start(t, options), generate(t, start(t, options)))
		}
		pins := []string{""}
		if !loggedIn || module.IsChancery() {
			// SoftHSM looks at nothing but an empty PIN once somebody has logged in.
			pins = append(pins, "wrong")
		}
		for _, pin := range pins {
			wrong := options
			wrong.PIN = pin
			_, err := New(wrong)
			if err == nil {
				t.Fatalf("PIN %q was accepted (logged in: %v)", pin, loggedIn)
			}
			if pin != "" && !strings.Contains(err.Error(), "CKR_PIN_INCORRECT") {
				t.Fatalf("PIN %q: %v", pin, err)
			}
		}
	}
}

// Every session is logged in on; only the first login after the last session closed is a plain OK.
func TestReplayLoginScope(t *testing.T) {
	options := place(t)
	provider := start(t, options)
	// A process of its own, as far as the module can tell.
	if err := provider.context.Finalize(); err != nil {
		t.Fatal(err)
	}
	if err := provider.context.Initialize(); err != nil {
		t.Fatal(err)
	}
	open := func() (pkcs11.SessionHandle, error) {
		session, err := provider.context.OpenSession(provider.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			t.Fatal(err)
		}
		return session, provider.context.Login(session, pkcs11.CKU_USER, options.PIN)
	}
	for round := 0; round < 3; round++ {
		first, err := open()
		if err != nil {
			t.Fatalf("round %d: the login lasted longer than the last session: %v", round, err)
		}
		second, err := open()
		code(t, err, pkcs11.CKR_USER_ALREADY_LOGGED_IN)
		for _, session := range []pkcs11.SessionHandle{first, second} {
			if err := provider.context.CloseSession(session); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A CA has a provider for each of its authorities and clients, all on one module: C_Initialize comes several times, and
// what one of them makes the others find.
func TestReplaySeveralProviders(t *testing.T) {
	options := place(t)
	first := start(t, options)
	second, third := start(t, options), start(t, options)
	for _, later := range []*Provider{second, third} {
		code(t, later.Initialized, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)
	}
	key := generate(t, first)
	for _, provider := range []*Provider{second, third} {
		found, err := provider.Key(key.SKI)
		if err != nil {
			t.Fatal(err)
		}
		if !found.Private || !found.Public.Equal(key.Public) {
			t.Fatalf("another key was found: %+v", found)
		}
		mustSign(t, provider, found)
	}
}

// Fabric's tests unload the library and never finalize; the next provider meets whatever that left.
func TestReplayDestroyWithoutFinalize(t *testing.T) {
	options := place(t)
	var key *Key
	for round := 0; round < 3; round++ {
		provider, err := New(options)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if key == nil {
			key = generate(t, provider)
		} else if found, err := provider.Key(key.SKI); err != nil || !found.Private {
			t.Fatalf("round %d: %+v, %v", round, found, err)
		}
		mustSign(t, provider, key)
		provider.Destroy()
	}
}
