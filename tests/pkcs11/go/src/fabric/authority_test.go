package fabric

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// root self-signs with a key of the token, as a CA does at its first start.
func root(t *testing.T, provider *Provider, key *Key) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "ca.org1.example.com"},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	return issue(t, template, template, key.Public, provider.Signer(key))
}

func issue(t *testing.T, template, parent *x509.Certificate, public crypto.PublicKey, issuer crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, issuer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// A CA on P-256 and on P-384 (SHA-384 then) is started, restarted, and issues a certificate and a revocation list.
func TestReplayAuthority(t *testing.T) {
	for security, algorithm := range map[int]x509.SignatureAlgorithm{256: x509.ECDSAWithSHA256, 384: x509.ECDSAWithSHA384} {
		options := place(t)
		options.Security = security
		key := generate(t, start(t, options))
		// The restarted CA has the certificate in a file, and finds the key by its SKI.
		provider := start(t, options)
		authority := root(t, provider, key)
		found, err := provider.Key(SKI(authority.PublicKey.(*ecdsa.PublicKey)))
		if err != nil || !found.Private {
			t.Fatalf("%+v, %v", found, err)
		}
		node, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(2),
			Subject:      pkix.Name{CommonName: "peer0", OrganizationalUnit: []string{"peer"}},
			NotBefore:    time.Now().Add(-time.Minute),
			NotAfter:     time.Now().Add(time.Hour),
			KeyUsage:     x509.KeyUsageDigitalSignature,
		}
		certificate := issue(t, template, authority, &node.PublicKey, provider.Signer(found))
		if err := certificate.CheckSignatureFrom(authority); err != nil || certificate.SignatureAlgorithm != algorithm {
			t.Fatalf("%v: %v", certificate.SignatureAlgorithm, err)
		}
		revoked := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
		der, err := x509.CreateRevocationList(rand.Reader, revoked, authority, provider.Signer(found))
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := list.CheckSignatureFrom(authority); err != nil {
			t.Fatal(err)
		}
	}
}

// A CA's TLS key may lie in the token: TLS 1.2 and 1.3 servers answer with it, on both curves.
func TestReplayTLSServer(t *testing.T) {
	for _, security := range []int{256, 384} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			options := place(t)
			options.Security = security
			provider := start(t, options)
			authority, key := generate(t, provider), generate(t, provider)
			parent := root(t, provider, authority)
			certificate := issue(t, &x509.Certificate{
				SerialNumber: big.NewInt(3),
				Subject:      pkix.Name{CommonName: "localhost"},
				DNSNames:     []string{"localhost"},
				NotBefore:    time.Now().Add(-time.Minute),
				NotAfter:     time.Now().Add(time.Hour),
				KeyUsage:     x509.KeyUsageDigitalSignature,
				ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			}, parent, key.Public, provider.Signer(authority))
			handshake(t, version, parent, tls.Certificate{
				Certificate: [][]byte{certificate.Raw}, PrivateKey: provider.Signer(key),
			})
		}
	}
}

func handshake(t *testing.T, version uint16, parent *x509.Certificate, certificate tls.Certificate) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		server := tls.Server(connection, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		_, _ = server.Write([]byte("hello"))
	}()
	roots := x509.NewCertPool()
	roots.AddCert(parent)
	configuration := &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: version, MaxVersion: version}
	client, err := tls.Dial("tcp", listener.Addr().String(), configuration)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer := make([]byte, len("hello"))
	if _, err := io.ReadFull(client, answer); err != nil || !bytes.Equal(answer, []byte("hello")) {
		t.Fatalf("%q, %v", answer, err)
	}
}
