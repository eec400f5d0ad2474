package fabric

import (
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"
)

// Signature is what Fabric sends: DER of this.
type Signature struct {
	R, S *big.Int
}

// Sign makes what Fabric sends: the smaller s, in DER.
func (p *Provider) Sign(ski, digest []byte) ([]byte, error) {
	signature, err := p.SignRaw(ski, digest)
	if err != nil {
		return nil, err
	}
	return p.LowS(ski, signature)
}

// SignRaw gives what the module does: r and s, each as long as the field.
func (p *Provider) SignRaw(ski, digest []byte) ([]byte, error) {
	var signature []byte
	err := p.withSession(func(session pkcs11.SessionHandle) (err error) {
		signature, err = p.signIn(session, ski, digest)
		return err
	})
	return signature, err
}

func (p *Provider) signIn(session pkcs11.SessionHandle, ski, digest []byte) ([]byte, error) {
	private, err := p.handle(session, ski, true)
	if err != nil {
		return nil, err
	}
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}
	if err := p.context.SignInit(session, mechanism, private); err != nil {
		return nil, fmt.Errorf("C_SignInit: %w", err)
	}
	signature, err := p.context.Sign(session, digest)
	if err != nil {
		return nil, fmt.Errorf("C_Sign: %w", err)
	}
	return signature, nil
}

// Split halves a raw signature.
func Split(signature []byte) Signature {
	half := len(signature) / 2
	return Signature{new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])}
}

// LowS turns a raw signature into what Fabric sends.
func (p *Provider) LowS(ski, raw []byte) ([]byte, error) {
	key, err := p.Key(ski)
	if err != nil {
		return nil, err
	}
	signature, order := Split(raw), key.Public.Curve.Params().N
	if HighS(signature, order) {
		signature.S.Sub(order, signature.S)
	}
	return asn1.Marshal(signature)
}

// HighS tells whether s is the greater of the two that verify.
func HighS(signature Signature, order *big.Int) bool {
	return signature.S.Cmp(new(big.Int).Rsh(order, 1)) > 0
}

// Verify has the module verify, with the public object (Fabric 1.4).
func (p *Provider) Verify(ski, digest []byte, signature Signature) error {
	return p.withSession(func(session pkcs11.SessionHandle) error {
		public, err := p.handle(session, ski, false)
		if err != nil {
			return err
		}
		point, err := p.point(session, public)
		if err != nil {
			return err
		}
		size := (point.Curve.Params().BitSize + 7) / 8
		raw := make([]byte, 2*size)
		signature.R.FillBytes(raw[:size])
		signature.S.FillBytes(raw[size:])
		mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}
		if err := p.context.VerifyInit(session, mechanism, public); err != nil {
			return fmt.Errorf("C_VerifyInit: %w", err)
		}
		if err := p.context.Verify(session, digest, raw); err != nil {
			return fmt.Errorf("C_Verify: %w", err)
		}
		return nil
	})
}
