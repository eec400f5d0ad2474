package fabric

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Key is a key pair of the token, or the public half alone.
type Key struct {
	SKI     []byte
	Public  *ecdsa.PublicKey
	Private bool
}

type cacheKey struct {
	id      string
	private bool
}

var (
	oidP224 = asn1.ObjectIdentifier{1, 3, 132, 0, 33}
	oidP256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384 = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	oidP521 = asn1.ObjectIdentifier{1, 3, 132, 0, 35}
)

func curveOf(oid asn1.ObjectIdentifier) elliptic.Curve {
	switch {
	case oid.Equal(oidP224):
		return elliptic.P224()
	case oid.Equal(oidP256):
		return elliptic.P256()
	case oid.Equal(oidP384):
		return elliptic.P384()
	case oid.Equal(oidP521):
		return elliptic.P521()
	}
	return nil
}

// point reads CKA_EC_POINT and CKA_EC_PARAMS (sizes first, then values: the binding does both).
func (p *Provider) point(session pkcs11.SessionHandle, object pkcs11.ObjectHandle) (*ecdsa.PublicKey, error) {
	attributes, err := p.context.GetAttributeValue(session, object, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil),
		pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, nil),
	})
	if err != nil {
		return nil, fmt.Errorf("C_GetAttributeValue: %w", err)
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(attributes[1].Value, &oid); err != nil {
		return nil, fmt.Errorf("CKA_EC_PARAMS %x: %w", attributes[1].Value, err)
	}
	curve := curveOf(oid)
	if curve == nil {
		return nil, fmt.Errorf("no curve of Fabric's: %v", oid)
	}
	x, y := elliptic.Unmarshal(curve, bare(attributes[0].Value))
	if x == nil {
		return nil, fmt.Errorf("CKA_EC_POINT %x is no point", attributes[0].Value)
	}
	return &ecdsa.PublicKey{Curve: curve, X: x, Y: y}, nil
}

// bare guesses, as Fabric does, whether a point is wrapped in an OCTET STRING or followed by a stray byte.
func bare(point []byte) []byte {
	switch {
	case len(point) < 3:
		return point
	case len(point)%2 == 0 && point[0] == 4 && point[len(point)-1] == 4:
		return point[:len(point)-1]
	case point[0] == 4 && point[2] == 4:
		return point[2:]
	}
	return point
}

// SKI is what Fabric files a key under: SHA-256 of its uncompressed point.
func SKI(public *ecdsa.PublicKey) []byte {
	hash := sha256.Sum256(elliptic.Marshal(public.Curve, public.X, public.Y))
	return hash[:]
}
