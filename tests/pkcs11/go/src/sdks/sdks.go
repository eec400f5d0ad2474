// Package sdks holds contract replays of the clients of Fabric's SDKs that sign through PKCS#11 without Fabric's own
// provider: fabric-gateway for Go, fabric-sdk-go, and what fabric-sdk-node asks of lookups and logins. Written from their
// lists of calls.
package sdks

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/miekg/pkcs11"
)

// token finds the slot of a label.
func token(context *pkcs11.Ctx, label string) (uint, error) {
	slots, err := context.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("C_GetSlotList: %w", err)
	}
	for _, slot := range slots {
		info, err := context.GetTokenInfo(slot)
		if err != nil {
			return 0, fmt.Errorf("C_GetTokenInfo: %w", err)
		}
		if info.Label == label {
			return slot, nil
		}
	}
	return 0, fmt.Errorf("no token has the label %q", label)
}

// Gateway is fabric-gateway's factory of signers: one in a process, strict about C_Initialize.
type Gateway struct {
	context *pkcs11.Ctx
}

// NewGateway takes any error of C_Initialize for its end.
func NewGateway(library string) (*Gateway, error) {
	context := pkcs11.New(library)
	if context == nil {
		return nil, errors.New("no PKCS#11 library")
	}
	if err := context.Initialize(); err != nil {
		return nil, fmt.Errorf("C_Initialize: %w", err)
	}
	return &Gateway{context}, nil
}

// Dispose ends it.
func (g *Gateway) Dispose() error {
	return g.context.Finalize()
}

// GatewaySigner signs with one session, one signature at a time.
type GatewaySigner struct {
	context *pkcs11.Ctx
	session pkcs11.SessionHandle
	private pkcs11.ObjectHandle
	mutex   sync.Mutex
}

// Signer opens a read-only session and finds the private object alone.
func (g *Gateway) Signer(label, pin string, identifier []byte) (*GatewaySigner, error) {
	slot, err := token(g.context, label)
	if err != nil {
		return nil, err
	}
	session, err := g.context.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, fmt.Errorf("C_OpenSession: %w", err)
	}
	signer := &GatewaySigner{context: g.context, session: session}
	err = g.context.Login(session, pkcs11.CKU_USER, pin)
	if err != nil && err != pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		_ = signer.Close()
		return nil, fmt.Errorf("C_Login: %w", err)
	}
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_ID, identifier),
	}
	found, err := findAtMost(g.context, session, template, 1)
	if err == nil && len(found) == 0 {
		err = errors.New("no such key")
	}
	if err != nil {
		_ = signer.Close()
		return nil, err
	}
	signer.private = found[0]
	return signer, nil
}

func findAtMost(
	context *pkcs11.Ctx, session pkcs11.SessionHandle, template []*pkcs11.Attribute, most int,
) ([]pkcs11.ObjectHandle, error) {
	if err := context.FindObjectsInit(session, template); err != nil {
		return nil, fmt.Errorf("C_FindObjectsInit: %w", err)
	}
	found, _, err := context.FindObjects(session, most)
	if err != nil {
		return nil, fmt.Errorf("C_FindObjects: %w", err)
	}
	if err := context.FindObjectsFinal(session); err != nil {
		return nil, fmt.Errorf("C_FindObjectsFinal: %w", err)
	}
	return found, nil
}

// Close closes its session.
func (s *GatewaySigner) Close() error {
	return s.context.CloseSession(s.session)
}

// Sign gives DER with the smaller s, by the order of P-256 whatever the curve.
func (s *GatewaySigner) Sign(digest []byte) ([]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := s.context.SignInit(s.session, ecdsa(), s.private); err != nil {
		return nil, fmt.Errorf("C_SignInit: %w", err)
	}
	raw, err := s.context.Sign(s.session, digest)
	if err != nil {
		return nil, fmt.Errorf("C_Sign: %w", err)
	}
	r, v := new(big.Int).SetBytes(raw[:len(raw)/2]), new(big.Int).SetBytes(raw[len(raw)/2:])
	order := elliptic.P256().Params().N
	if v.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		v.Sub(order, v)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, v})
}

func ecdsa() []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}
}
