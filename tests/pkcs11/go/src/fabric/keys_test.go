package fabric

import (
	"bytes"
	"encoding/hex"
	"module"
	"testing"

	"github.com/miekg/pkcs11"
)

// attributes reads attributes of the object that has a key's SKI as its id.
func attributes(t *testing.T, provider *Provider, ski []byte, class uint, types ...uint) [][]byte {
	t.Helper()
	var values [][]byte
	err := provider.withSession(func(session pkcs11.SessionHandle) error {
		found, err := provider.find(session, class, ski)
		if err != nil || len(found) == 0 {
			t.Fatalf("%x: %v", ski, err)
		}
		template := make([]*pkcs11.Attribute, len(types))
		for i, kind := range types {
			template[i] = pkcs11.NewAttribute(kind, nil)
		}
		answer, err := provider.context.GetAttributeValue(session, found[0], template)
		for _, attribute := range answer {
			values = append(values, attribute.Value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// A new key has its SKI as id and its hexadecimal form as label, on both halves, on both of Fabric's curves and with the
// templates of both of its generations.
func TestReplayGeneration(t *testing.T) {
	for _, security := range []int{256, 384} {
		for _, sameID := range []bool{false, true} {
			options := place(t)
			options.Security, options.SameID = security, sameID
			provider := start(t, options)
			key := generate(t, provider)
			if bits := key.Public.Params().BitSize; bits != security {
				t.Fatalf("a curve of %d bits", bits)
			}
			for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
				values := attributes(t, provider, key.SKI, class,
					pkcs11.CKA_ID, pkcs11.CKA_LABEL, pkcs11.CKA_TOKEN, pkcs11.CKA_MODIFIABLE)
				want := [][]byte{key.SKI, []byte(hex.EncodeToString(key.SKI)), {1}, {1}}
				for i := range want {
					if !bytes.Equal(values[i], want[i]) {
						t.Fatalf("class %d: %x where %x was wanted", class, values[i], want[i])
					}
				}
			}
			private := attributes(t, provider, key.SKI, pkcs11.CKO_PRIVATE_KEY,
				pkcs11.CKA_SENSITIVE, pkcs11.CKA_EXTRACTABLE, pkcs11.CKA_PRIVATE, pkcs11.CKA_SIGN)
			if !bytes.Equal(bytes.Join(private, nil), []byte{1, 0, 1, 1}) {
				t.Fatalf("sensitive, extractable, private, sign: %x", private)
			}
			mustSign(t, provider, key)
		}
	}
}

// Immutable leaves one object of each class, which can't be modified, and the key signs on.
func TestReplayImmutable(t *testing.T) {
	for _, security := range []int{256, 384} {
		options := place(t)
		options.Security, options.Immutable = security, true
		provider := start(t, options)
		key := generate(t, provider)
		for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
			values := attributes(t, provider, key.SKI, class, pkcs11.CKA_ID, pkcs11.CKA_MODIFIABLE, pkcs11.CKA_TOKEN)
			if !bytes.Equal(values[0], key.SKI) || values[1][0] != 0 || values[2][0] != 1 {
				t.Fatalf("class %d: %x", class, values)
			}
			if count := countOf(t, provider, class, key.SKI); count != 1 {
				t.Fatalf("%d objects of class %d", count, class)
			}
			rename := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, "renamed")}
			err := provider.withSession(func(session pkcs11.SessionHandle) error {
				found, _ := provider.find(session, class, key.SKI)
				return provider.context.SetAttributeValue(session, found[0], rename)
			})
			if err == nil {
				t.Fatal("an object that can't be modified was modified")
			}
		}
		mustSign(t, provider, key)
		// And with nothing in the caches, as after a restart of the node.
		mustSign(t, start(t, options), key)
	}
}

func countOf(t *testing.T, provider *Provider, class uint, id []byte) int {
	t.Helper()
	count := 0
	err := provider.withSession(func(session pkcs11.SessionHandle) error {
		template := []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
		}
		if err := provider.context.FindObjectsInit(session, template); err != nil {
			return err
		}
		for {
			found, _, err := provider.context.FindObjects(session, 1)
			if err != nil {
				return err
			}
			if len(found) == 0 {
				return provider.context.FindObjectsFinal(session)
			}
			count++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// A restarted node finds its key by the SKI of its certificate; an SKI that nobody has finds nothing, also right after.
func TestReplayLookup(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	restarted := start(t, place(t))
	if _, err := restarted.Key(digestOf("nobody's")); err != errNotFound {
		t.Fatal(err)
	}
	found, err := restarted.Key(key.SKI)
	if err != nil || !found.Private || !found.Public.Equal(key.Public) {
		t.Fatalf("%+v, %v", found, err)
	}
	mustSign(t, restarted, found)
	// The caches are purged with the last session.
	restarted.closeAll()
	if found, err = restarted.Key(key.SKI); err != nil || !found.Private {
		t.Fatalf("%+v, %v", found, err)
	}
}

// AltID and KeyIds replace the SKI in lookups: what they name is taken as it stands.
func TestReplayMappedIDs(t *testing.T) {
	provider := start(t, place(t))
	key, stranger := generate(t, provider), digestOf("another's")
	mapped := place(t)
	mapped.KeyIDs = map[string]string{hex.EncodeToString(stranger): string(key.SKI)}
	alternative := place(t)
	alternative.AltID = string(key.SKI)
	for _, options := range []Options{mapped, alternative} {
		found, err := start(t, options).Key(stranger)
		if err != nil || !found.Public.Equal(key.Public) {
			t.Fatalf("%+v, %v", found, err)
		}
	}
	missing := place(t)
	missing.KeyIDs = map[string]string{hex.EncodeToString(key.SKI): "nobody's"}
	if _, err := start(t, missing).Key(key.SKI); err != errNotFound {
		t.Fatal(err)
	}
}

// Fabric's own tests give a finished key another id, and want nothing to be found under the SKI from then on. A key whose
// organization does not let its owner rename it answers CKR_FUNCTION_REJECTED, and stays.
func TestReplayRename(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	var refused error
	for _, private := range []bool{true, false} {
		err := provider.withSession(func(session pkcs11.SessionHandle) error {
			handle, err := provider.handle(session, key.SKI, private)
			if err != nil {
				return err
			}
			rename := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, []byte("mapped-id"))}
			return provider.context.SetAttributeValue(session, handle, rename)
		})
		if err != nil {
			refused = err
		}
	}
	renamed := place(t)
	renamed.AltID = "mapped-id"
	if module.MayRename() {
		if refused != nil {
			t.Fatal(refused)
		}
		if _, err := start(t, place(t)).Key(key.SKI); err != errNotFound {
			t.Fatalf("found under its SKI: %v", err)
		}
		found, err := start(t, renamed).Key(key.SKI)
		if err != nil || !found.Private {
			t.Fatalf("%+v, %v", found, err)
		}
		return
	}
	code(t, refused, pkcs11.CKR_FUNCTION_REJECTED)
	if _, err := start(t, renamed).Key(key.SKI); err != errNotFound {
		t.Fatalf("found under another id: %v", err)
	}
	mustSign(t, start(t, place(t)), key)
}

// Ephemeral keys are found from other sessions and sign; none outlives the session that made it.
func TestReplayEphemeral(t *testing.T) {
	options := place(t)
	options.SessionCacheSize = 4
	provider := start(t, options)
	key, err := provider.Generate(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
		if token := attributes(t, provider, key.SKI, class, pkcs11.CKA_TOKEN); token[0][0] != 0 {
			t.Fatal("CKA_TOKEN of an ephemeral key")
		}
	}
	other := start(t, place(t))
	found, err := other.Key(key.SKI)
	if err != nil || !found.Private {
		t.Fatalf("%+v, %v", found, err)
	}
	mustSign(t, other, found)
	mustSign(t, provider, key)
	provider.closeAll()
	if _, err := start(t, place(t)).Key(key.SKI); err != errNotFound {
		t.Fatalf("it outlived its session: %v", err)
	}
}
