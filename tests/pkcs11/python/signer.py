"""A client in Python for services that are killed (tests/pkcs11_crash/client.rs says what it reads and prints):
python-pkcs11, a session for each thread."""

import os
import sys
import threading
import time

import pkcs11

library = pkcs11.lib(os.environ["PKCS11_LIB"])
token = library.get_token(token_label=os.environ["PKCS11_LABEL"])
end = time.monotonic() + int(os.environ["PKCS11_SECONDS"])
slowest = 0.0
failed = threading.Event()


def work() -> None:
    global slowest
    # The first session has logged in; that is the process's.
    with token.open() as session:
        key = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, id=bytes.fromhex(os.environ["PKCS11_KEY"]))
        while time.monotonic() < end and not failed.is_set():
            digest = os.urandom(32)
            start = time.monotonic()
            signature = key.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
            slowest = max(slowest, time.monotonic() - start)
            os.write(1, f"signature {digest.hex()} {signature.hex()}\n".encode())


def guarded() -> None:
    try:
        work()
    except Exception as error:
        failed.set()
        print(f"{type(error).__name__}: {error}", file=sys.stderr)


with token.open(user_pin=os.environ["PKCS11_PIN"]):
    threads = [threading.Thread(target=guarded) for _ in range(int(os.environ["PKCS11_THREADS"]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("slowest", int(slowest * 1000))
sys.exit(failed.is_set())
