// Package module says which PKCS#11 library, token and PIN the environment names, under the names that Fabric's own tests
// use for them.
package module

import (
	"os"
	"testing"
)

// Place is a token of a library, and what its user types.
type Place struct {
	Library, Label, PIN string
}

// FromEnvironment reads PKCS11_LIB, PKCS11_LABEL and PKCS11_PIN.
func FromEnvironment() Place {
	return Place{os.Getenv("PKCS11_LIB"), os.Getenv("PKCS11_LABEL"), os.Getenv("PKCS11_PIN")}
}

// ForTest fails a test that has no token to run against.
func ForTest(t *testing.T) Place {
	t.Helper()
	place := FromEnvironment()
	if place.Library == "" {
		t.Fatal("PKCS11_LIB, PKCS11_LABEL and PKCS11_PIN name the token to test")
	}
	return place
}

// IsChancery tells whether the library is ours; some of what is tested is undefined or absent in others.
func IsChancery() bool {
	return os.Getenv("PKCS11_OURS") != ""
}

// MayRename tells whether the token lets a finished key have another id.
func MayRename() bool {
	return os.Getenv("PKCS11_MAY_RENAME") != ""
}

// NeedsChancery skips a test of what only our library has.
func NeedsChancery(t *testing.T) {
	t.Helper()
	if !IsChancery() {
		t.Skip("not in every PKCS#11 library")
	}
}
