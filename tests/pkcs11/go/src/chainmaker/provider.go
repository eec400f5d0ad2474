// Package chainmaker is a contract replay of ChainMaker's PKCS#11 wrapper: node and SDK keys by label, public keys read
// from private objects, SM2 by its vendor's numbers, and signatures passed on as the module gave them. Written from the
// list of its calls.
package chainmaker

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Sansec's numbers, which ChainMaker uses unless an adapter names others.
const (
	KeySM2        = 0x80000004
	KeySM4        = 0x80000106
	GenerateSM2   = 0x80008001
	SignSM2       = 0x80008100
	SignSM2DER    = 0x80008101
	SignSM2ID     = 0x80008102
	SignSM2IDDER  = 0x80008103
	GenerateSM4   = 0x80000107
	EncryptSM4CBC = 0x80000109
)

// Provider is a pool of sessions that are logged in.
type Provider struct {
	context *pkcs11.Ctx
	slot    uint
	pool    chan pkcs11.SessionHandle
}

var errNotFound = errors.New("no such key")

// New opens all of its sessions at the start.
func New(library, label, pin string, sessions int) (*Provider, error) {
	p := &Provider{context: pkcs11.New(library), pool: make(chan pkcs11.SessionHandle, sessions)}
	if p.context == nil {
		return nil, fmt.Errorf("%s is no PKCS#11 library", library)
	}
	err := p.context.Initialize()
	if err != nil && err != pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return nil, fmt.Errorf("C_Initialize: %w", err)
	}
	if err := p.findSlot(label); err != nil {
		return nil, err
	}
	for n := 0; n < sessions; n++ {
		session, err := p.context.OpenSession(p.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return nil, fmt.Errorf("C_OpenSession: %w", err)
		}
		err = p.context.Login(session, pkcs11.CKU_USER, pin)
		if err != nil && err != pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
			return nil, fmt.Errorf("C_Login: %w", err)
		}
		p.pool <- session
	}
	return p, nil
}

func (p *Provider) findSlot(label string) error {
	slots, err := p.context.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("C_GetSlotList: %w", err)
	}
	for _, slot := range slots {
		if info, err := p.context.GetTokenInfo(slot); err == nil && info.Label == label {
			p.slot = slot
			return nil
		}
	}
	return fmt.Errorf("no token has the label %q", label)
}

func (p *Provider) withSession(operation func(pkcs11.SessionHandle) error) error {
	session := <-p.pool
	defer func() { p.pool <- session }()
	return operation(session)
}

// close closes every session.
func (p *Provider) close() {
	for len(p.pool) > 0 {
		_ = p.context.CloseSession(<-p.pool)
	}
}

// find looks for a key's name among labels, and then among ids.
func (p *Provider) find(session pkcs11.SessionHandle, class uint, name string) (pkcs11.ObjectHandle, error) {
	for _, kind := range []uint{pkcs11.CKA_LABEL, pkcs11.CKA_ID} {
		template := []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(kind, []byte(name)),
		}
		if err := p.context.FindObjectsInit(session, template); err != nil {
			return 0, fmt.Errorf("C_FindObjectsInit: %w", err)
		}
		found, _, err := p.context.FindObjects(session, 10)
		if err != nil {
			return 0, fmt.Errorf("C_FindObjects: %w", err)
		}
		if err := p.context.FindObjectsFinal(session); err != nil {
			return 0, fmt.Errorf("C_FindObjectsFinal: %w", err)
		}
		if len(found) > 0 {
			return found[0], nil
		}
	}
	return 0, errNotFound
}

// Sign signs a message or digest with the private key of a name.
func (p *Provider) Sign(name string, mechanism uint, data []byte) ([]byte, error) {
	var signature []byte
	err := p.withSession(func(session pkcs11.SessionHandle) error {
		private, err := p.find(session, pkcs11.CKO_PRIVATE_KEY, name)
		if err != nil {
			return err
		}
		if err := p.context.SignInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, private); err != nil {
			return fmt.Errorf("C_SignInit: %w", err)
		}
		if signature, err = p.context.Sign(session, data); err != nil {
			return fmt.Errorf("C_Sign: %w", err)
		}
		return nil
	})
	return signature, err
}

// Attributes reads attributes of a key's object.
func (p *Provider) Attributes(name string, class uint, types ...uint) ([][]byte, error) {
	var values [][]byte
	err := p.withSession(func(session pkcs11.SessionHandle) error {
		object, err := p.find(session, class, name)
		if err != nil {
			return err
		}
		template := make([]*pkcs11.Attribute, len(types))
		for i, kind := range types {
			template[i] = pkcs11.NewAttribute(kind, nil)
		}
		attributes, err := p.context.GetAttributeValue(session, object, template)
		if err != nil {
			return fmt.Errorf("C_GetAttributeValue: %w", err)
		}
		for _, attribute := range attributes {
			values = append(values, attribute.Value)
		}
		return nil
	})
	return values, err
}

// GenerateKeyPair makes a key pair under a name.
func (p *Provider) GenerateKeyPair(name string, mechanism uint, kind uint, more ...*pkcs11.Attribute) error {
	return p.withSession(func(session pkcs11.SessionHandle) error {
		public := append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, name),
			pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(name)),
		}, more...)
		private := []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, name),
			pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(name)),
		}
		_, _, err := p.context.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private)
		if err != nil {
			return fmt.Errorf("C_GenerateKeyPair: %w", err)
		}
		return nil
	})
}
