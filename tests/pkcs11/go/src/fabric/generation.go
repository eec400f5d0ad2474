package fabric

import (
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// counter names new keys until their SKI is known; it starts again in each process.
var counter uint64

// Generate makes a key as Fabric does: under a passing name, then under its SKI, then perhaps as immutable copies.
func (p *Provider) Generate(ephemeral bool) (*Key, error) {
	var key *Key
	err := p.withSession(func(session pkcs11.SessionHandle) (err error) {
		key, err = p.generate(session, ephemeral)
		return err
	})
	return key, err
}

func (p *Provider) generate(session pkcs11.SessionHandle, ephemeral bool) (*Key, error) {
	oid := oidP256
	if p.options.Security == 384 {
		oid = oidP384
	}
	parameters, err := asn1.Marshal(oid)
	if err != nil {
		return nil, err
	}
	number := atomic.AddUint64(&counter, 1)
	publicID, privateID := fmt.Sprintf("BCPUB%x", number), fmt.Sprintf("BCPRV%x", number)
	if p.options.SameID {
		publicID = fmt.Sprintf("BCP%x", number)
		privateID = publicID
	}
	public := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, !ephemeral),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, parameters),
		pkcs11.NewAttribute(pkcs11.CKA_ID, publicID),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, publicID),
	}
	private := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC),
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, !ephemeral),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_ID, privateID),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, privateID),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
	}
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}
	publicHandle, privateHandle, err := p.context.GenerateKeyPair(session, mechanism, public, private)
	if err != nil {
		return nil, fmt.Errorf("C_GenerateKeyPair: %w", err)
	}
	point, err := p.point(session, publicHandle)
	if err != nil {
		return nil, err
	}
	ski := SKI(point)
	for _, handle := range []pkcs11.ObjectHandle{publicHandle, privateHandle} {
		if err := p.context.SetAttributeValue(session, handle, named(ski)); err != nil {
			return nil, fmt.Errorf("C_SetAttributeValue: %w", err)
		}
	}
	if p.options.Immutable {
		if publicHandle, err = p.freeze(session, publicHandle); err != nil {
			return nil, err
		}
		if privateHandle, err = p.freeze(session, privateHandle); err != nil {
			return nil, err
		}
	}
	key := &Key{SKI: ski, Public: point, Private: true}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.handles[cacheKey{string(ski), false}] = publicHandle
	p.handles[cacheKey{string(ski), true}] = privateHandle
	p.keys[string(ski)] = key
	return key, nil
}

func named(ski []byte) []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_ID, ski),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, hex.EncodeToString(ski)),
	}
}

// freeze puts a copy that can't be modified in an object's place.
func (p *Provider) freeze(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_MODIFIABLE, false)}
	frozen, err := p.context.CopyObject(session, object, template)
	if err != nil {
		return 0, fmt.Errorf("C_CopyObject: %w", err)
	}
	if err := p.context.DestroyObject(session, object); err != nil {
		return 0, fmt.Errorf("C_DestroyObject: %w", err)
	}
	return frozen, nil
}
