package chainmaker

import (
	"bytes"
	"crypto/aes"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// GenerateKey makes a secret key of so many bytes under a name.
func (p *Provider) GenerateKey(name string, mechanism uint, kind uint, length int) error {
	return p.withSession(func(session pkcs11.SessionHandle) error {
		_, err := p.context.GenerateKey(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
			pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, length),
			pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, true),
			pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, true),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, name),
			pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(name)),
		})
		if err != nil {
			return fmt.Errorf("C_GenerateKey: %w", err)
		}
		return nil
	})
}

// Encrypt pads in software and puts the initialization vector first, as the database's files are kept. Both ciphers have
// blocks of 16 bytes.
func (p *Provider) Encrypt(name string, mechanism uint, text []byte) ([]byte, error) {
	pad := aes.BlockSize - len(text)%aes.BlockSize
	padded := append(append([]byte{}, text...), bytes.Repeat([]byte{byte(pad)}, pad)...)
	var sealed []byte
	err := p.withSession(func(session pkcs11.SessionHandle) error {
		vector, err := p.context.GenerateRandom(session, aes.BlockSize)
		if err != nil {
			return fmt.Errorf("C_GenerateRandom: %w", err)
		}
		key, err := p.find(session, pkcs11.CKO_SECRET_KEY, name)
		if err != nil {
			return err
		}
		if err := p.context.EncryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, vector)}, key); err != nil {
			return fmt.Errorf("C_EncryptInit: %w", err)
		}
		blocks, err := p.context.Encrypt(session, padded)
		if err != nil {
			return fmt.Errorf("C_Encrypt: %w", err)
		}
		sealed = append(vector, blocks...)
		return nil
	})
	return sealed, err
}

// Decrypt undoes Encrypt.
func (p *Provider) Decrypt(name string, mechanism uint, sealed []byte) ([]byte, error) {
	var text []byte
	err := p.withSession(func(session pkcs11.SessionHandle) error {
		key, err := p.find(session, pkcs11.CKO_SECRET_KEY, name)
		if err != nil {
			return err
		}
		vector, blocks := sealed[:aes.BlockSize], sealed[aes.BlockSize:]
		if err := p.context.DecryptInit(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, vector)}, key); err != nil {
			return fmt.Errorf("C_DecryptInit: %w", err)
		}
		padded, err := p.context.Decrypt(session, blocks)
		if err != nil {
			return fmt.Errorf("C_Decrypt: %w", err)
		}
		if len(padded) == 0 || int(padded[len(padded)-1]) > len(padded) {
			return errors.New("no padding")
		}
		text = padded[:len(padded)-int(padded[len(padded)-1])]
		return nil
	})
	return text, err
}
