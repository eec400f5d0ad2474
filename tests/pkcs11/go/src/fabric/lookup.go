package fabric

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

var errNotFound = errors.New("no such key")

// Key finds a key by its SKI. One that was found once is not looked for again; one whose private half was not found stays
// a key that verifies only.
func (p *Provider) Key(ski []byte) (*Key, error) {
	p.mutex.Lock()
	key := p.keys[string(ski)]
	p.mutex.Unlock()
	if key != nil {
		return key, nil
	}
	err := p.withSession(func(session pkcs11.SessionHandle) error {
		_, privateErr := p.handle(session, ski, true)
		public, err := p.handle(session, ski, false)
		if err != nil {
			return err
		}
		point, err := p.point(session, public)
		if err != nil {
			return err
		}
		key = &Key{SKI: ski, Public: point, Private: privateErr == nil}
		return nil
	})
	if err != nil {
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.keys[string(ski)] = key
	return key, nil
}

// id is what is looked for in an SKI's place.
func (p *Provider) id(ski []byte) []byte {
	if id, mapped := p.options.KeyIDs[hex.EncodeToString(ski)]; mapped {
		return []byte(id)
	}
	if p.options.AltID != "" {
		return []byte(p.options.AltID)
	}
	return ski
}

// handle gives the cached handle of an object, or finds it by class and id.
func (p *Provider) handle(session pkcs11.SessionHandle, ski []byte, private bool) (pkcs11.ObjectHandle, error) {
	cached := cacheKey{string(ski), private}
	p.mutex.Lock()
	handle, known := p.handles[cached]
	p.mutex.Unlock()
	if known {
		return handle, nil
	}
	class := uint(pkcs11.CKO_PUBLIC_KEY)
	if private {
		class = pkcs11.CKO_PRIVATE_KEY
	}
	found, err := p.find(session, class, p.id(ski))
	if err != nil {
		return 0, err
	}
	if len(found) == 0 {
		return 0, errNotFound
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.handles[cached] = found[0]
	return found[0], nil
}

func (p *Provider) find(session pkcs11.SessionHandle, class uint, id []byte) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
		pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
	if err := p.context.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("C_FindObjectsInit: %w", err)
	}
	found, _, err := p.context.FindObjects(session, 1)
	if err != nil {
		return nil, fmt.Errorf("C_FindObjects: %w", err)
	}
	if err := p.context.FindObjectsFinal(session); err != nil {
		return nil, fmt.Errorf("C_FindObjectsFinal: %w", err)
	}
	return found, nil
}
