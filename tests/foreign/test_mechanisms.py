"""Every mechanism that the PKCS#11 module lists, called through its C interface and judged by code that is not ours.

`cryptography` (OpenSSL) judges NIST curves, RSA, Ed25519, ML-DSA, agreement, ciphers, HMAC and key wrapping, of secret keys
that were imported and are known; `gmssl` and the openssl command judge SM2 and SM3; `ecdsa` digests of any length. At the
end the mechanisms that were tried are compared with those that C_GetMechanismList names, slot by slot.
"""

import unittest

from mechanisms import agreement, ciphers, operations, signatures
from mechanisms.slots import WHOLE, slots, start


def setUpModule() -> None:
    start()


def tearDownModule() -> None:
    print("\nslot, mechanism, use, each judged by code that is not ours:")
    for label, slot in slots.items():
        for kind, tried in sorted(slot.tried.items()):
            for use, judge in sorted(set(tried)):
                print(f"  {label:8} {kind:#010x}  {use:48} {judge}")
    for label in WHOLE:
        listed, tried = set(slots[label].session.module.mechanisms(slots[label].number)), set(slots[label].tried)
        if listed != tried:
            missing, stale = ([hex(kind) for kind in kinds] for kinds in (listed - tried, tried - listed))
            raise AssertionError(f"{label}: not tried {missing}, not listed {stale}")


# Here, so that the fixtures above are theirs.
class Digests(signatures.Digests):
    pass


class Signatures(signatures.Signatures):
    pass


class Operations(operations.Operations):
    pass


class Agreement(agreement.Agreement):
    pass


class Ciphers(ciphers.Ciphers):
    pass


class Wrapping(ciphers.Wrapping):
    pass


if __name__ == "__main__":
    unittest.main()
