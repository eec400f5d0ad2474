package fabric

import (
	"crypto/ecdsa"
	"fmt"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"
)

// concurrently has 50 callers sign at one time.
func concurrently(t *testing.T, provider *Provider, key *Key) {
	t.Helper()
	const callers, each = 50, 4
	var work sync.WaitGroup
	for caller := 0; caller < callers; caller++ {
		work.Add(1)
		go func(caller int) {
			defer work.Done()
			for n := 0; n < each; n++ {
				digest := digestOf(fmt.Sprint(t.Name(), caller, n))
				signature, err := provider.Sign(key.SKI, digest)
				if err != nil {
					t.Error(err)
				} else if !ecdsa.VerifyASN1(key.Public, digest, signature) {
					t.Errorf("%x does not verify", signature)
				}
			}
		}(caller)
	}
	work.Wait()
}

// Providers of fabric-lib-go 1.1.4 and later never have more sessions than they keep.
func TestReplayBoundedPool(t *testing.T) {
	options := place(t)
	options.Bounded = true
	provider := start(t, options)
	concurrently(t, provider, generate(t, provider))
	if provider.most > defaultCache {
		t.Fatalf("%d sessions at one time", provider.most)
	}
}

// Older ones open a session for each caller and close what does not fit into the pool.
func TestReplayBursts(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	digest := digestOf("a burst")
	for burst := 0; burst < 3; burst++ {
		const callers = 50
		var here, work sync.WaitGroup
		here.Add(callers)
		work.Add(callers)
		for caller := 0; caller < callers; caller++ {
			go func() {
				defer work.Done()
				err := provider.withSession(func(session pkcs11.SessionHandle) error {
					here.Done()
					here.Wait()
					raw, err := provider.signIn(session, key.SKI, digest)
					if err == nil {
						if halves := Split(raw); !ecdsa.Verify(key.Public, digest, halves.R, halves.S) {
							t.Errorf("%x does not verify", raw)
						}
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}()
		}
		work.Wait()
		if kept := len(provider.sessions); kept != defaultCache {
			t.Fatalf("%d sessions after a burst", kept)
		}
	}
	if provider.most != 50 {
		t.Fatalf("%d sessions at most: that was no burst", provider.most)
	}
}

// Fifty callers find and generate at one time.
func TestReplayConcurrentKeys(t *testing.T) {
	provider, other := start(t, place(t)), start(t, place(t))
	key := generate(t, provider)
	var work sync.WaitGroup
	for caller := 0; caller < 50; caller++ {
		work.Add(1)
		go func(generates bool) {
			defer work.Done()
			if generates {
				if _, err := provider.Generate(true); err != nil {
					t.Error(err)
				}
			} else if found, err := other.Key(key.SKI); err != nil || !found.Private {
				t.Errorf("%+v, %v", found, err)
			}
		}(caller%10 == 0)
	}
	work.Wait()
}

// A session that was closed behind the provider's back fails one operation with exactly CKR_SESSION_HANDLE_INVALID, which
// is in the range that makes Fabric drop it; the next operation has a new one.
func TestReplayRecovery(t *testing.T) {
	options := place(t)
	options.SessionCacheSize = 1
	provider := start(t, options)
	key := generate(t, provider)
	session := <-provider.pool
	if err := provider.context.CloseSession(session); err != nil {
		t.Fatal(err)
	}
	provider.pool <- session
	opened := provider.opened

	_, err := provider.Generate(false)
	code(t, err, pkcs11.CKR_SESSION_HANDLE_INVALID)
	if !lostSession(err) {
		t.Fatalf("Fabric would keep the session: %v", err)
	}
	if len(provider.handles) != 0 || len(provider.keys) != 0 {
		t.Fatal("the caches outlived the last session")
	}
	mustSign(t, provider, key)
	if provider.opened != opened+1 {
		t.Fatalf("%d sessions opened to recover", provider.opened-opened)
	}
}

// Handles stay valid in sessions that are opened after every earlier one was closed.
func TestReplayHandlesOutliveSessions(t *testing.T) {
	provider := start(t, place(t))
	key := generate(t, provider)
	handles := provider.handles
	provider.closeAll()
	// What Fabric does only when no session is left; another provider in the process keeps its own cache, as here.
	provider.handles = handles
	mustSign(t, provider, key)
}

// All of 0xB0 to 0xBF makes Fabric drop a session, and nothing else does.
func TestRecoveryRule(t *testing.T) {
	for code := uint(0); code < 0x200; code++ {
		text := pkcs11.Error(code)
		if want := code >= 0xB0 && code <= 0xBF && known(text); lostSession(text) != want {
			t.Errorf("%v: %v", text, !want)
		}
	}
}

// known tells whether the binding has a name for an error: without it Fabric's pattern does not match.
func known(err pkcs11.Error) bool {
	return len(err.Error()) > len("pkcs11: 0xB0: ")
}
