package fabric

import "github.com/miekg/pkcs11"

// withSession lends a session to one operation, and drops it for good where the operation's error says that it is lost.
// The operation is never tried again.
func (p *Provider) withSession(operation func(pkcs11.SessionHandle) error) error {
	if p.permits != nil {
		p.permits <- struct{}{}
		defer func() { <-p.permits }()
	}
	session, err := p.takeSession()
	if err != nil {
		return err
	}
	if err = operation(session); err != nil && lostSession(err) {
		p.closeSession(session)
	} else {
		p.putSession(session)
	}
	return err
}

func (p *Provider) takeSession() (pkcs11.SessionHandle, error) {
	select {
	case session := <-p.pool:
		return session, nil
	default:
		return p.openSession()
	}
}

func (p *Provider) putSession(session pkcs11.SessionHandle) {
	select {
	case p.pool <- session:
	default:
		p.closeSession(session)
	}
}

// closeSession ignores what C_CloseSession answers. With its last session a provider forgets its handles and keys.
func (p *Provider) closeSession(session pkcs11.SessionHandle) {
	_ = p.context.CloseSession(session)
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.sessions, session)
	if len(p.sessions) == 0 {
		p.forget()
	}
}

// closeAll closes what the pool holds.
func (p *Provider) closeAll() {
	for {
		select {
		case session := <-p.pool:
			p.closeSession(session)
		default:
			return
		}
	}
}

func (p *Provider) forget() {
	p.handles = map[cacheKey]pkcs11.ObjectHandle{}
	p.keys = map[string]*Key{}
}
