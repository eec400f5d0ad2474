// Command signer signs, or makes keys, as a Fabric node does, until its time is up: a client for services that are killed
// meanwhile. What it gets it prints as soon as it has it:
//
//	signature DIGEST SIGNATURE    hexadecimal; r and s as the module gave them
//	key SKI                       a key that has its name
//	slowest MILLISECONDS          of all calls, at the end
//
// An error, or a signature that Go's ECDSA refuses, ends it with status 1. Beside the token, the environment names the key
// to sign with (PKCS11_KEY, its CKA_ID in hexadecimal, or "ephemeral" for one that ends with the process; without it, at
// most PKCS11_KEYS keys are made), PKCS11_SECONDS and PKCS11_THREADS.
package main

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"fabric"
	"fmt"
	"module"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "signer:", err)
		os.Exit(1)
	}
}

func run() error {
	place := module.FromEnvironment()
	var threads, seconds, most int
	for name, number := range map[string]*int{"PKCS11_THREADS": &threads, "PKCS11_SECONDS": &seconds, "PKCS11_KEYS": &most} {
		var err error
		if *number, err = strconv.Atoi(os.Getenv(name)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	provider, err := fabric.New(fabric.Options{
		Library: place.Library, Label: place.Label, PIN: place.PIN, Security: 256, SessionCacheSize: threads,
	})
	if err != nil {
		return err
	}
	var made int64
	work := func() error {
		if atomic.AddInt64(&made, 1) > int64(most) {
			time.Sleep(time.Second)
			return nil
		}
		return makeKey(provider)
	}
	if name := os.Getenv("PKCS11_KEY"); name != "" {
		key, err := keyOf(provider, name)
		if err != nil {
			return err
		}
		work = func() error { return sign(provider, key) }
	}
	return repeat(threads, time.Now().Add(time.Duration(seconds)*time.Second), work)
}

// repeat has every thread do its work until the end, or until one of them fails.
func repeat(threads int, end time.Time, work func() error) error {
	var group sync.WaitGroup
	var slowest, failed int64
	errors := make(chan error, threads)
	for n := 0; n < threads; n++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for time.Now().Before(end) && atomic.LoadInt64(&failed) == 0 {
				begin := time.Now()
				if err := work(); err != nil {
					atomic.StoreInt64(&failed, 1)
					errors <- fmt.Errorf("after %v: %w", time.Since(begin), err)
				}
				for taken := time.Since(begin).Milliseconds(); ; {
					known := atomic.LoadInt64(&slowest)
					if taken <= known || atomic.CompareAndSwapInt64(&slowest, known, taken) {
						break
					}
				}
			}
		}()
	}
	group.Wait()
	fmt.Println("slowest", slowest)
	close(errors)
	return <-errors
}

func keyOf(provider *fabric.Provider, name string) (*fabric.Key, error) {
	if name == "ephemeral" {
		return provider.Generate(true)
	}
	ski, err := hex.DecodeString(name)
	if err != nil {
		return nil, fmt.Errorf("PKCS11_KEY: %w", err)
	}
	key, err := provider.Key(ski)
	if err == nil && !key.Private {
		err = fmt.Errorf("%s has a public object only", name)
	}
	return key, err
}

func sign(provider *fabric.Provider, key *fabric.Key) error {
	digest := make([]byte, 32)
	if _, err := rand.Read(digest); err != nil {
		return err
	}
	signature, err := provider.SignRaw(key.SKI, digest)
	if err != nil {
		return err
	}
	if halves := fabric.Split(signature); !ecdsa.Verify(key.Public, digest, halves.R, halves.S) {
		return fmt.Errorf("%x over %x does not verify", signature, digest)
	}
	// One write: a line is whole or not there, whenever this process is killed.
	_, err = fmt.Printf("signature %x %x\n", digest, signature)
	return err
}

func makeKey(provider *fabric.Provider) error {
	key, err := provider.Generate(false)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("key %x\n", key.SKI)
	return err
}
