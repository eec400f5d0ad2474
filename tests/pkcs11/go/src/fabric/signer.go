package fabric

import (
	"crypto"
	"io"
)

// Signer is a key of the token as Go's certificates and TLS use it, which is how a Fabric CA issues.
type Signer struct {
	provider *Provider
	key      *Key
}

// Signer signs with a key.
func (p *Provider) Signer(key *Key) *Signer {
	return &Signer{p, key}
}

// Public is part of crypto.Signer.
func (s *Signer) Public() crypto.PublicKey {
	return s.key.Public
}

// Sign is part of crypto.Signer.
func (s *Signer) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.provider.Sign(s.key.SKI, digest)
}
