package chainmaker

import (
	"bytes"
	"module"
	"os"
	"testing"

	"github.com/miekg/pkcs11"
)

// cipher encrypts with the key of a name, or with a new one, and sees that what comes out is neither the text nor the same
// twice, and comes back.
func cipher(t *testing.T, name string, generation, kind, mechanism uint, length int) {
	t.Helper()
	provider := start(t)
	if name == "" {
		name = "MasterKey" + fresh(t)
		if err := provider.GenerateKey(name, generation, kind, length); err != nil {
			t.Fatal(err)
		}
	}
	for _, size := range []int{0, 1, 15, 16, 17, 1000, 4000} {
		text := bytes.Repeat([]byte("database"), size/8+1)[:size]
		first, err := provider.Encrypt(name, mechanism, text)
		if err != nil {
			t.Fatal(err)
		}
		second, err := provider.Encrypt(name, mechanism, text)
		if err != nil {
			t.Fatal(err)
		}
		if len(first) != 16+(size/16+1)*16 || bytes.Equal(first, second) {
			t.Fatalf("%x and %x", first, second)
		}
		back, err := provider.Decrypt(name, mechanism, first)
		if err != nil || !bytes.Equal(back, text) {
			t.Fatalf("%q: %v", back, err)
		}
	}
}

// `storage.encryptor: aes`. Nodes make no such keys themselves.
func TestReplayAES(t *testing.T) {
	cipher(t, os.Getenv("PKCS11_AES_KEY"), pkcs11.CKM_AES_KEY_GEN, pkcs11.CKK_AES, pkcs11.CKM_AES_CBC, 32)
}

// `storage.encryptor: sm4`.
func TestReplaySM4(t *testing.T) {
	module.NeedsChancery(t)
	cipher(t, os.Getenv("PKCS11_SM4_KEY"), GenerateSM4, KeySM4, EncryptSM4CBC, 16)
}
