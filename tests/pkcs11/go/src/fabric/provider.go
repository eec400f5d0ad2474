// Package fabric is a contract replay of Fabric's BCCSP PKCS#11 provider: what it calls, in which order, with which
// templates, and what it makes of the answers. Peers, orderers and CAs sign through that provider; this one is written
// from the list of its calls and shares no code with it.
//
// Invariant: a module that serves this provider is asked nothing that Fabric's would not ask.
package fabric

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

// Options are what core.yaml says under BCCSP.PKCS11, and which generation of the provider reads it.
type Options struct {
	Library, Label, PIN string
	// Security is 256 or 384: the curve of keys that are made.
	Security int
	// Immutable replaces new objects by copies whose CKA_MODIFIABLE is false.
	Immutable bool
	// AltID and KeyIDs replace the SKI in lookups.
	AltID  string
	KeyIDs map[string]string
	// SessionCacheSize is how many sessions are kept; 0 is Fabric's 10.
	SessionCacheSize int
	// Bounded lets no more calls run than there are sessions to keep (fabric-lib-go 1.1.4); older providers open as many
	// sessions as there are callers and close what they can't keep.
	Bounded bool
	// SameID gives both halves of a new key one id until they are renamed (1.4.8 and later 1.4).
	SameID bool
}

// Provider is one instance; a process may have several of one module.
type Provider struct {
	options Options
	context *pkcs11.Ctx
	slot    uint

	// Initialized is what C_Initialize answered: Fabric logs an error and goes on.
	Initialized error

	pool    chan pkcs11.SessionHandle
	permits chan struct{}

	mutex    sync.Mutex
	sessions map[pkcs11.SessionHandle]struct{}
	handles  map[cacheKey]pkcs11.ObjectHandle
	keys     map[string]*Key
	opened   int
	most     int
}

const (
	openAttempts = 10
	openPause    = 100 * time.Millisecond
	defaultCache = 10
)

// New starts a provider as a node does.
func New(options Options) (*Provider, error) {
	if options.SessionCacheSize == 0 {
		options.SessionCacheSize = defaultCache
	}
	p := &Provider{
		options:  options,
		pool:     make(chan pkcs11.SessionHandle, options.SessionCacheSize),
		sessions: map[pkcs11.SessionHandle]struct{}{},
	}
	if options.Bounded {
		p.permits = make(chan struct{}, options.SessionCacheSize)
	}
	p.forget()
	if p.context = pkcs11.New(options.Library); p.context == nil {
		return nil, fmt.Errorf("%s is no PKCS#11 library", options.Library)
	}
	p.Initialized = p.context.Initialize()
	if err := p.findSlot(); err != nil {
		return nil, err
	}
	session, err := p.openSession()
	if err != nil {
		return nil, err
	}
	p.putSession(session)
	return p, nil
}

// Destroy unloads the library without C_Finalize, as Fabric's tests end.
func (p *Provider) Destroy() {
	p.context.Destroy()
}

func (p *Provider) findSlot() error {
	slots, err := p.context.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("C_GetSlotList: %w", err)
	}
	for _, slot := range slots {
		info, err := p.context.GetTokenInfo(slot)
		if err != nil {
			continue
		}
		if info.Label == p.options.Label {
			p.slot = slot
			return nil
		}
	}
	return fmt.Errorf("no token has the label %q", p.options.Label)
}

// openSession opens a session and logs in on it, whoever may have done so before.
func (p *Provider) openSession() (pkcs11.SessionHandle, error) {
	var session pkcs11.SessionHandle
	var err error
	for attempt := 0; attempt < openAttempts; attempt++ {
		session, err = p.context.OpenSession(p.slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err == nil {
			break
		}
		time.Sleep(openPause)
	}
	if err != nil {
		return 0, fmt.Errorf("C_OpenSession: %w", err)
	}
	err = p.context.Login(session, pkcs11.CKU_USER, p.options.PIN)
	if err != nil && err != pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		_ = p.context.CloseSession(session)
		return 0, fmt.Errorf("C_Login: %w", err)
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.sessions[session] = struct{}{}
	p.opened++
	if len(p.sessions) > p.most {
		p.most = len(p.sessions)
	}
	return session, nil
}

// lostSession is the rule by which the provider recovers: it looks at the text of an error for a code of 0xB0 to 0xBF.
func lostSession(err error) bool {
	text := err.Error()
	at := strings.Index(text, "0xB")
	return at >= 0 && len(text) > at+len("0xB0: CKR") && strings.HasPrefix(text[at+len("0xB0"):], ": CKR")
}
