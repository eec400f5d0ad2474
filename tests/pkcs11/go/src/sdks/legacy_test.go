package sdks

import (
	"bytes"
	goecdsa "crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"fabric"
	"module"
	"testing"

	"github.com/miekg/pkcs11"
)

// rwUserFunctions is CKS_RW_USER_FUNCTIONS, which the binding lacks.
const rwUserFunctions = 3

// open begins as a process does; the cleanup finalizes.
func open(t *testing.T) (*pkcs11.Ctx, uint) {
	t.Helper()
	place := module.ForTest(t)
	context := pkcs11.New(place.Library)
	if err := context.Initialize(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := context.Finalize(); err != nil {
			t.Error(err)
		}
	})
	slot, err := token(context, place.Label)
	if err != nil {
		t.Fatal(err)
	}
	return context, slot
}

func session(t *testing.T, context *pkcs11.Ctx, slot uint) pkcs11.SessionHandle {
	t.Helper()
	session, err := context.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// fabric-sdk-go asks for a session's information whenever it takes or returns it, and starts afresh, with C_Finalize, when
// a session is lost.
func TestReplaySDKGo(t *testing.T) {
	made, place := key(t), module.ForTest(t)
	context, slot := open(t)
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, made.SKI),
	}
	for round := 0; round < 2; round++ {
		session := session(t, context, slot)
		if err := context.Login(session, pkcs11.CKU_USER, place.PIN); err != nil {
			t.Fatal(err)
		}
		found, err := findAtMost(context, session, template, 1)
		if err != nil || len(found) != 1 {
			t.Fatalf("%v, %v", found, err)
		}
		for use := 0; use < 20; use++ {
			info, err := context.GetSessionInfo(session)
			if err != nil || info.SlotID != slot || info.State != rwUserFunctions || info.DeviceError != 0 {
				t.Fatalf("%+v, %v", info, err)
			}
			if err := context.SignInit(session, ecdsa(), found[0]); err != nil {
				t.Fatal(err)
			}
			digest := digestOf("use")
			raw, err := context.Sign(session, digest)
			if err != nil {
				t.Fatal(err)
			}
			halves := fabric.Split(raw)
			if !goecdsa.Verify(made.Public, digest, halves.R, halves.S) {
				t.Fatalf("%x does not verify", raw)
			}
		}
		if err := context.CloseSession(session); err != nil {
			t.Fatal(err)
		}
		if _, err := context.GetSessionInfo(session); err != pkcs11.Error(pkcs11.CKR_SESSION_HANDLE_INVALID) {
			t.Fatalf("a closed session: %v", err)
		}
		if err := context.Finalize(); err != nil {
			t.Fatal(err)
		}
		if err := context.Initialize(); err != nil {
			t.Fatal(err)
		}
	}
}

// fabric-sdk-node makes keys without id and label and names them afterwards; a lookup wants exactly one object of each
// class, no secret key, and five attributes readable on both. Its login takes CKR_OK only.
func TestReplaySDKNode(t *testing.T) {
	place := module.ForTest(t)
	context, slot := open(t)
	if _, err := context.GetInfo(); err != nil {
		t.Fatal(err)
	}
	if _, err := context.GetSlotInfo(slot); err != nil {
		t.Fatal(err)
	}
	mechanisms, err := context.GetMechanismList(slot)
	if err != nil || len(mechanisms) == 0 {
		t.Fatalf("%v, %v", mechanisms, err)
	}
	session := session(t, context, slot)
	if _, err := context.GetSessionInfo(session); err != nil {
		t.Fatal(err)
	}
	if err := context.Login(session, pkcs11.CKU_USER, place.PIN); err != nil {
		t.Fatal(err)
	}
	parameters, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil {
		t.Fatal(err)
	}
	public, private, err := context.GenerateKeyPair(session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, false),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
			pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, parameters),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
			pkcs11.NewAttribute(pkcs11.CKA_DERIVE, true),
		})
	if err != nil {
		t.Fatal(err)
	}
	attributes, err := context.GetAttributeValue(session, public, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		t.Fatal(err)
	}
	var point []byte
	if _, err := asn1.Unmarshal(attributes[0].Value, &point); err != nil {
		t.Fatal(err)
	}
	x, y := elliptic.Unmarshal(elliptic.P256(), point)
	verifier := &goecdsa.PublicKey{Curve: elliptic.P256(), X: x, Y: y}
	ski := fabric.SKI(verifier)
	for _, object := range []pkcs11.ObjectHandle{public, private} {
		err := context.SetAttributeValue(session, object, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_ID, ski),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, hex.EncodeToString(ski)),
		})
		if err != nil {
			t.Fatal(err)
		}
	}

	only := map[uint]pkcs11.ObjectHandle{}
	for class, count := range map[uint]int{pkcs11.CKO_SECRET_KEY: 0, pkcs11.CKO_PRIVATE_KEY: 1, pkcs11.CKO_PUBLIC_KEY: 1} {
		kind := uint(pkcs11.CKK_EC)
		if class == pkcs11.CKO_SECRET_KEY {
			kind = pkcs11.CKK_AES
		}
		found := oneByOne(t, context, session, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_ID, ski),
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
		})
		if len(found) != count {
			t.Fatalf("%d objects of class %d", len(found), class)
		}
		for _, object := range found {
			only[class] = object
			values, err := context.GetAttributeValue(session, object, []*pkcs11.Attribute{
				pkcs11.NewAttribute(pkcs11.CKA_CLASS, nil),
				pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, nil),
				pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, nil),
				pkcs11.NewAttribute(pkcs11.CKA_TOKEN, nil),
				pkcs11.NewAttribute(pkcs11.CKA_ID, nil),
			})
			if err != nil || !bytes.Equal(values[3].Value, []byte{1}) || !bytes.Equal(values[4].Value, ski) {
				t.Fatalf("class %d: %v, %v", class, values, err)
			}
		}
	}
	digest := digestOf("signed by the SDK for Node")
	if err := context.SignInit(session, ecdsa(), only[pkcs11.CKO_PRIVATE_KEY]); err != nil {
		t.Fatal(err)
	}
	raw, err := context.Sign(session, digest)
	if err != nil {
		t.Fatal(err)
	}
	halves := fabric.Split(raw)
	if !goecdsa.Verify(verifier, digest, halves.R, halves.S) {
		t.Fatalf("%x does not verify", raw)
	}
	if err := context.VerifyInit(session, ecdsa(), only[pkcs11.CKO_PUBLIC_KEY]); err != nil {
		t.Fatal(err)
	}
	if err := context.Verify(session, digest, raw); err != nil {
		t.Fatal(err)
	}
}

// oneByOne asks for one object after the other until none is left.
func oneByOne(
	t *testing.T, context *pkcs11.Ctx, session pkcs11.SessionHandle, template []*pkcs11.Attribute,
) []pkcs11.ObjectHandle {
	t.Helper()
	if err := context.FindObjectsInit(session, template); err != nil {
		t.Fatal(err)
	}
	var all []pkcs11.ObjectHandle
	for {
		found, _, err := context.FindObjects(session, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			break
		}
		all = append(all, found...)
	}
	if err := context.FindObjectsFinal(session); err != nil {
		t.Fatal(err)
	}
	return all
}

// Fabric's integration tests make a key of their own, with a private template that lacks CKA_PRIVATE, and take CKR_OK only
// from C_Login.
func TestReplayFabricIntegration(t *testing.T) {
	place := module.ForTest(t)
	context, slot := open(t)
	session := session(t, context, slot)
	if err := context.Login(session, pkcs11.CKU_USER, place.PIN); err != nil {
		t.Fatal(err)
	}
	parameters, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7})
	if err != nil {
		t.Fatal(err)
	}
	public := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, parameters),
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte("integration")),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, "integration"),
	}
	private := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte("integration")),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, "integration"),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
	}
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}
	_, made, err := context.GenerateKeyPair(session, mechanism, public, private)
	if err != nil {
		t.Fatal(err)
	}
	if err := context.SignInit(session, ecdsa(), made); err != nil {
		t.Fatal(err)
	}
	if _, err := context.Sign(session, digestOf("a block")); err != nil {
		t.Fatal(err)
	}
}
