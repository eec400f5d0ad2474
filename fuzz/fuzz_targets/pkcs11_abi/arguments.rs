//! Arguments of a client that errs: of sensible ones, each may be null, odd, absurd or of something else.

use super::{Client, ROOM};
use cryptoki_sys::*;
use std::{ffi::c_void, ptr::null_mut};

/// Lengths that nothing in memory has.
const ABSURD: [CK_ULONG; 6] = [CK_ULONG::MAX, CK_ULONG::MAX - 7, 1 << 63, (1 << 63) - 1, CK_ULONG::MAX / 24, 1 << 48];

const P256: &[u8] = &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const GENERATOR: &str = "0441046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

pub(super) const PUBLIC_KEY: usize = 0;
pub(super) const AES_KEY: usize = 1;
pub(super) const SECRET: usize = 2;
pub(super) const RSA_KEY: usize = 3;

/// A template with a purpose.
pub(super) fn sensible(which: usize) -> Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> {
    let number = |number: CK_ULONG| number.to_ne_bytes().to_vec();
    let (yes, no) = (vec![1], vec![0]);
    match which {
        PUBLIC_KEY => vec![
            (CKA_CLASS, number(CKO_PUBLIC_KEY)),
            (CKA_KEY_TYPE, number(CKK_EC)),
            (CKA_TOKEN, no),
            (CKA_VERIFY, yes),
            (CKA_EC_PARAMS, P256.to_vec()),
            (CKA_EC_POINT, hex::decode(GENERATOR).unwrap()),
        ],
        AES_KEY | SECRET => vec![
            (CKA_CLASS, number(CKO_SECRET_KEY)),
            (CKA_KEY_TYPE, number(if which == AES_KEY { CKK_AES } else { CKK_GENERIC_SECRET })),
            (CKA_TOKEN, no),
            (CKA_VALUE, vec![7; 32]),
            (CKA_EXTRACTABLE, yes),
        ],
        RSA_KEY => vec![
            (CKA_CLASS, number(CKO_PUBLIC_KEY)),
            (CKA_KEY_TYPE, number(CKK_RSA)),
            (CKA_TOKEN, no),
            (CKA_ENCRYPT, yes),
            (CKA_MODULUS, vec![0xc5; 256]),
            (CKA_PUBLIC_EXPONENT, vec![1, 0, 1]),
        ],
        4 => vec![(CKA_CLASS, number(CKO_PRIVATE_KEY)), (CKA_ID, vec![3; 32])],
        7 => vec![(CKA_TOKEN, no), (CKA_SIGN, yes.clone()), (CKA_EC_PARAMS, P256.to_vec()), (CKA_PRIVATE, yes)],
        5 => vec![(CKA_CLASS, number(CKO_CERTIFICATE)), (CKA_CERTIFICATE_TYPE, number(0)), (CKA_VALUE, vec![0x30; 64])],
        6 => vec![(CKA_LABEL, b"label".to_vec()), (CKA_MODIFIABLE, no), (CKA_VALUE_LEN, number(32))],
        _ => Vec::new(),
    }
}

impl Client<'_> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.input.split_first() else { return 0 };
        self.input = rest;
        *first
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// A number that stands for nothing, now and then.
    pub(super) fn odd(&mut self) -> Option<CK_ULONG> {
        let odd = [0, 1, 7, 0x8000_0000, CK_ULONG::MAX];
        let at = self.below(32);
        odd.get(at).copied()
    }

    /// One that is open or was.
    pub(super) fn session(&mut self) -> CK_SESSION_HANDLE {
        let at = if self.below(4) == 0 { self.below(self.sessions.len()) } else { self.sessions.len() - 1 };
        self.odd().unwrap_or(self.sessions[at])
    }

    pub(super) fn object(&mut self) -> CK_OBJECT_HANDLE {
        let at = self.below(self.objects.len());
        self.odd().unwrap_or(self.objects[at])
    }

    pub(super) fn slot(&mut self) -> CK_SLOT_ID {
        self.odd().unwrap_or(1)
    }

    /// Up to `room`, or absurd.
    pub(super) fn length(&mut self, room: usize) -> CK_ULONG {
        match self.below(16) {
            0 => ABSURD[self.below(ABSURD.len())],
            1 => room as CK_ULONG,
            2 => 0,
            3..8 => [16, 32, 64, 12, 24][self.below(5)].min(room) as CK_ULONG,
            _ => (usize::from(self.byte()) * 2).min(room) as CK_ULONG,
        }
    }

    /// Bytes to read, at any address.
    pub(super) fn bytes(&mut self) -> (*mut u8, CK_ULONG) {
        let odd = self.below(8);
        let length = self.length(ROOM - odd);
        let pointer = self.given.as_mut_ptr().cast::<u8>().wrapping_add(odd);
        (if self.below(16) == 0 { null_mut() } else { pointer }, length)
    }

    /// Room for a result, with the place of its length.
    pub(super) fn room(&mut self) -> (*mut u8, *mut CK_ULONG) {
        let odd = self.below(8);
        *self.length = self.length(ROOM - odd);
        let pointer = self.taken.as_mut_ptr().wrapping_add(odd);
        self.taken[ROOM..].fill(0xa5);
        let pointer = if self.below(8) == 0 { null_mut() } else { pointer };
        (pointer, if self.below(32) == 0 { null_mut() } else { &raw mut *self.length })
    }

    /// Where a structure fits, or a handle.
    pub(super) fn place<T>(&mut self) -> *mut T {
        assert!(size_of::<T>() < ROOM - 8);
        let odd = self.below(8);
        self.taken[ROOM..].fill(0xa5);
        if self.below(16) == 0 { null_mut() } else { self.taken.as_mut_ptr().wrapping_add(odd).cast() }
    }

    pub(super) fn handle(&mut self) -> *mut CK_ULONG {
        let at = self.below(8);
        if self.below(32) == 0 { null_mut() } else { &raw mut self.handles[at] }
    }

    pub(super) fn keep(&mut self, value: Vec<u8>) -> *mut c_void {
        self.kept.push(value);
        self.kept.last_mut().expect("kept").as_mut_ptr().cast()
    }

    /// A template: of something sensible, with a few things wrong.
    pub(super) fn template(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let mut wanted = sensible(self.below(9));
        for _ in 0..self.below(3) {
            let kind = match self.below(12) {
                0 => CKA_WRAP_TEMPLATE,
                1 => CKA_ALLOWED_MECHANISMS,
                2 => CKA_ID,
                3 => CKA_VALUE,
                4 => CKA_VENDOR_DEFINED,
                5 => CKA_MODULUS,
                6 => CKA_PRIVATE,
                7 => CKA_TOKEN,
                _ => CK_ATTRIBUTE_TYPE::from(self.byte()) | 0x100,
            };
            let length = self.below(40);
            wanted.push((kind, vec![self.byte(); length]));
        }
        let attributes: Vec<_> = wanted
            .into_iter()
            .map(|(type_, value)| {
                let length = value.len() as CK_ULONG;
                let (pValue, ulValueLen) = match self.below(24) {
                    0 => (null_mut(), length),
                    1 => (self.keep(value), ABSURD[self.below(ABSURD.len())]),
                    2 => (self.keep(value), length.saturating_sub(1)),
                    _ => (self.keep(value), length),
                };
                CK_ATTRIBUTE { type_, pValue, ulValueLen }
            })
            .collect();
        self.attributes(&attributes)
    }

    /// What C_GetAttributeValue is to fill.
    pub(super) fn questions(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let mut attributes = Vec::new();
        for _ in 0..self.below(6) {
            let kind = [CKA_CLASS, CKA_ID, CKA_EC_POINT, CKA_VALUE, CKA_LABEL, CKA_WRAP_TEMPLATE, CKA_TOKEN, 0x7777];
            let length = self.below(100);
            let (pValue, ulValueLen) = match self.below(8) {
                0 | 1 => (null_mut(), self.length(ROOM)),
                2 => (self.keep(vec![0; length]), ABSURD[self.below(ABSURD.len())]),
                _ => (self.keep(vec![0; length]), length as CK_ULONG),
            };
            attributes.push(CK_ATTRIBUTE { type_: kind[self.below(8)], pValue, ulValueLen });
        }
        self.attributes(&attributes)
    }

    /// The array at an address that may be odd, of a length that may be absurd.
    pub(super) fn attributes(&mut self, attributes: &[CK_ATTRIBUTE]) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        let odd = self.below(8);
        let first: *mut CK_ATTRIBUTE =
            self.keep(vec![0; size_of_val(attributes) + 8]).cast::<u8>().wrapping_add(odd).cast();
        for (at, attribute) in attributes.iter().enumerate() {
            // SAFETY: there is room for all of them behind seven bytes.
            unsafe { first.add(at).write_unaligned(*attribute) };
        }
        match self.below(32) {
            0 => (null_mut(), attributes.len() as CK_ULONG),
            1 => (first, ABSURD[self.below(ABSURD.len())]),
            _ => (first, attributes.len() as CK_ULONG),
        }
    }

    /// A mechanism with a parameter: of its own structure, or of words that mean nothing.
    pub(super) fn mechanism(&mut self) -> *mut CK_MECHANISM {
        const KINDS: [CK_MECHANISM_TYPE; 24] = [
            CKM_ECDSA,
            CKM_ECDSA_SHA256,
            CKM_EDDSA,
            CKM_RSA_PKCS,
            CKM_RSA_PKCS_PSS,
            CKM_SHA256_RSA_PKCS_PSS,
            CKM_RSA_PKCS_OAEP,
            CKM_ECDH1_DERIVE,
            CKM_AES_GCM,
            CKM_AES_CBC,
            CKM_AES_CBC_PAD,
            CKM_AES_KEY_WRAP_KWP,
            CKM_AES_KEY_WRAP_PAD,
            CKM_SHA256_HMAC,
            CKM_SHA256,
            CKM_SHA512,
            CKM_SHA_1,
            CKM_EC_KEY_PAIR_GEN,
            CKM_RSA_PKCS_KEY_PAIR_GEN,
            CKM_AES_KEY_GEN,
            CKM_GENERIC_SECRET_KEY_GEN,
            CKM_ML_DSA,
            0x8000_8104,
            CK_ULONG::MAX,
        ];
        let mechanism = KINDS[self.below(KINDS.len())];
        let (pParameter, ulParameterLen) = match self.below(4) {
            0 => (null_mut(), self.length(48)),
            1 => {
                let (_, length) = self.bytes();
                (self.given.as_mut_ptr().cast(), length)
            }
            _ => self.structure(mechanism),
        };
        let odd = self.below(8);
        let place: *mut CK_MECHANISM =
            self.keep(vec![0; size_of::<CK_MECHANISM>() + 8]).cast::<u8>().wrapping_add(odd).cast();
        // SAFETY: there is room for it behind seven bytes.
        unsafe { place.write_unaligned(CK_MECHANISM { mechanism, pParameter, ulParameterLen }) };
        if self.below(24) == 0 { null_mut() } else { place }
    }

    /// The parameter that belongs to a mechanism, with fields of the input's choice.
    pub(super) fn structure(&mut self, mechanism: CK_MECHANISM_TYPE) -> (*mut c_void, CK_ULONG) {
        let mut words = Vec::new();
        let field = |client: &mut Self| {
            let (pointer, length) = client.bytes();
            [pointer as u64, length]
        };
        match mechanism {
            CKM_AES_CBC | CKM_AES_CBC_PAD => return (self.given.as_mut_ptr().cast(), 16),
            CKM_AES_GCM => {
                let (iv, aad) = (field(self), field(self));
                words.extend([iv[0], iv[1], 96, aad[0], aad[1], [128, 96, 0, u64::MAX][self.below(4)]]);
            }
            CKM_RSA_PKCS_OAEP => {
                let label = field(self);
                words.extend([CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, label[0], label[1]]);
            }
            CKM_ECDH1_DERIVE => {
                let (shared, public) = (field(self), field(self));
                words.extend([CKD_NULL, shared[1], shared[0], public[1], public[0]]);
            }
            CKM_EDDSA | CKM_ML_DSA => {
                let context = field(self);
                // CK_EDDSA_PARAMS has the pointer last, CK_SIGN_ADDITIONAL_CONTEXT the length.
                let [pointer, length] = context;
                words.push(u64::from(self.byte() & 1));
                words.extend(if mechanism == CKM_EDDSA { [length, pointer] } else { [pointer, length] });
            }
            CKM_RSA_PKCS_PSS | CKM_SHA256_RSA_PKCS_PSS => {
                words.extend([CKM_SHA256, CKG_MGF1_SHA256, [32, 0, u64::MAX][self.below(3)]]);
            }
            _ => return (null_mut(), 0),
        }
        let (pointer, length) = self.words(&words);
        (pointer, length - (self.below(16) / 15) as CK_ULONG)
    }

    /// Room for a list of numbers.
    pub(super) fn list(&mut self) -> (*mut CK_ULONG, *mut CK_ULONG) {
        let (list, count) = self.room();
        if ABSURD.contains(&self.length) {
            return (list.cast(), count);
        }
        *self.length /= 8;
        (list.cast(), count)
    }
}
