//! The C functions of the PKCS#11 module: a client that passes null pointers, odd addresses, lengths near the maximum,
//! handles of what is closed, templates and mechanism parameters that make no sense, in any order. It does not lie about
//! memory: a pointer that is not null has as many bytes as the length beside it, or a length that nothing has.
//!
//! No call may crash, panic (which would show as CKR_GENERAL_ERROR), or give more than there is room for. No service runs.

#![no_main]
#![allow(unsafe_code, non_snake_case)]

#[path = "pkcs11_abi/arguments.rs"]
mod arguments;

use arguments::{AES_KEY, PUBLIC_KEY, RSA_KEY, SECRET, sensible};
use chancery_pkcs11::ffi::C_GetInterface;
use cryptoki_sys::*;
use libfuzzer_sys::fuzz_target;
use rcgen::{CertificateParams, KeyPair};
use std::{
    ffi::c_void,
    fs,
    ptr::{null, null_mut},
    sync::OnceLock,
};

/// Calls of one run.
const MOST: usize = 64;
/// Bytes of each of a client's two buffers.
const ROOM: usize = 512;
fuzz_target!(|data: &[u8]| {
    let mut client = Client::new(data);
    for _ in 0..MOST {
        if client.input.is_empty() {
            break;
        }
        let rv = client.call();
        assert_ne!(rv, CKR_GENERAL_ERROR, "something panicked");
    }
});

struct Client<'d> {
    f: &'static CK_FUNCTION_LIST_3_0,
    input: &'d [u8],
    sessions: Vec<CK_SESSION_HANDLE>,
    objects: Vec<CK_OBJECT_HANDLE>,
    /// What a client brings: every word is zero, the largest number, or this buffer's own address, so that whatever
    /// structure it is taken for holds no pointer to foreign memory with a length that memory may have.
    given: Box<[u64; ROOM / 8]>,
    /// Where results go, with a canary behind it.
    taken: Box<[u8; ROOM + 16]>,
    length: Box<CK_ULONG>,
    handles: Box<[CK_ULONG; 8]>,
    /// Values and structures that the call under way points to.
    kept: Vec<Vec<u8>>,
}

/// The module's functions, with a configuration for it that no service answers.
fn functions() -> &'static CK_FUNCTION_LIST_3_0 {
    static PLACE: OnceLock<tempfile::TempDir> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        let path = place.path().join("pkcs11.toml");
        fs::write(place.path().join("key.pem"), key.serialize_pem()).unwrap();
        fs::write(place.path().join("cert.pem"), certificate.pem()).unwrap();
        let text = "addresses = [\"127.0.0.1:1\"]\nca = \"cert.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
                    deadline = \"1ms\"\n[[slot]]\nlabel = \"org1\"\norganization = \"organizations/org1\"\n";
        fs::write(&path, text).unwrap();
        // SAFETY: once, before the module looks for it; nothing else here reads the environment but through Rust's lock.
        unsafe { std::env::set_var("CHANCERY_PKCS11_CONF", path) };
        place
    });
    let mut interface = null_mut();
    // SAFETY: null stands for the default interface, whose list is one of v3.0 and is never freed.
    unsafe {
        assert_eq!(C_GetInterface(null_mut(), null_mut(), &raw mut interface, 0), CKR_OK);
        &*(*interface).pFunctionList.cast()
    }
}

/// Calls a function of the list. Arguments are made first, from left to right.
macro_rules! call {
    ($client:ident.$name:ident($($argument:expr),*)) => {{
        let function = $client.f.$name.expect("every function is there");
        // SAFETY: the arguments are as the target's documentation says.
        unsafe { function($($argument),*) }
    }};
}

impl<'d> Client<'d> {
    /// In a module that is freshly initialized, with a session that is logged in.
    fn new(input: &'d [u8]) -> Self {
        let mut client = Self {
            f: functions(),
            input,
            sessions: Vec::new(),
            objects: Vec::new(),
            given: Box::new([0; ROOM / 8]),
            taken: Box::new([0; ROOM + 16]),
            length: Box::new(0),
            handles: Box::new([0; 8]),
            kept: Vec::new(),
        };
        let own = client.given.as_ptr() as u64;
        for at in 0..client.given.len() {
            client.given[at] = [0, u64::MAX, own, 0][usize::from(client.byte()) % 4];
        }
        call!(client.C_Finalize(null_mut()));
        assert_eq!(call!(client.C_Initialize(null_mut())), CKR_OK);
        client.open(CKF_SERIAL_SESSION | CKF_RW_SESSION);
        let (session, mut pin) = (client.sessions[0], *b"1234");
        assert_eq!(call!(client.C_Login(session, CKU_USER, pin.as_mut_ptr(), 4)), CKR_OK);
        for which in [PUBLIC_KEY, AES_KEY, SECRET, RSA_KEY] {
            client.create(which);
        }
        client
    }

    /// An object of the session, at the place in `objects` that its number says.
    fn create(&mut self, which: usize) {
        let mut template = sensible(which);
        let mut attributes: Vec<_> = template
            .iter_mut()
            .map(|(type_, value)| CK_ATTRIBUTE {
                type_: *type_,
                pValue: value.as_mut_ptr().cast(),
                ulValueLen: value.len() as CK_ULONG,
            })
            .collect();
        let (session, mut object) = (self.sessions[0], 0);
        let rv =
            call!(self.C_CreateObject(session, attributes.as_mut_ptr(), attributes.len() as CK_ULONG, &raw mut object));
        assert_eq!((rv, which), (CKR_OK, self.objects.len()));
        self.objects.push(object);
    }

    fn open(&mut self, flags: CK_FLAGS) -> CK_RV {
        let mut session = 0;
        let rv = call!(self.C_OpenSession(1, flags, null_mut(), None, &raw mut session));
        if rv == CKR_OK {
            self.sessions.push(session);
        }
        rv
    }

    fn call(&mut self) -> CK_RV {
        self.kept.clear();
        let rv = self.any();
        assert!(self.taken[ROOM..].iter().all(|byte| [0, 0xa5].contains(byte)), "written beyond the room");
        rv
    }

    fn any(&mut self) -> CK_RV {
        let function = self.below(96);
        let session = self.session();
        match function {
            0 if self.below(4) == 0 => {
                let odd = null::<u8>().wrapping_add(8).cast_mut().cast();
                call!(self.C_Finalize(if self.below(4) == 0 { odd } else { null_mut() }))
            }
            0 => self.interfaces(),
            1..=3 => self.initialize(),
            4 => call!(self.C_GetInfo(self.place())),
            5 => {
                let (list, count) = self.list();
                call!(self.C_GetSlotList(1, list, count))
            }
            6 => call!(self.C_GetSlotInfo(self.slot(), self.place())),
            7 => call!(self.C_GetTokenInfo(self.slot(), self.place())),
            8 => {
                let (list, count) = self.list();
                call!(self.C_GetMechanismList(self.slot(), list, count))
            }
            9 => {
                let kind = CK_ULONG::from(self.byte()) << 4;
                call!(self.C_GetMechanismInfo(self.slot(), kind, self.place()))
            }
            10 | 11 => {
                let flags = [CKF_SERIAL_SESSION, CKF_SERIAL_SESSION | CKF_RW_SESSION, 0, CK_FLAGS::MAX];
                let at = self.below(4);
                self.open(flags[at])
            }
            12 if self.below(2) == 0 => call!(self.C_CloseSession(session)),
            12 => call!(self.C_GetFunctionStatus(session)),
            13 if self.below(8) == 0 => call!(self.C_CloseAllSessions(self.slot())),
            13 => call!(self.C_GetSessionInfo(session, self.place())),
            14 | 15 => {
                let (pin, length) = self.bytes();
                call!(self.C_Login(session, self.below(4) as CK_ULONG, pin, length))
            }
            16 if self.below(4) == 0 => call!(self.C_Logout(session)),
            16 => call!(self.C_CancelFunction(session)),
            17 => {
                let ((pin, length), (name, more)) = (self.bytes(), self.bytes());
                call!(self.C_LoginUser(session, 1, pin, length, name, more))
            }
            18 => call!(self.C_SessionCancel(session, CK_FLAGS::from(self.byte()) << 8)),
            19..=24 => {
                let (template, count) = self.template();
                let rv = call!(self.C_CreateObject(session, template, count, &raw mut *self.length));
                self.made(rv)
            }
            25 => {
                let (template, count) = self.template();
                let (object, copy) = (self.object(), self.handle());
                call!(self.C_CopyObject(session, object, template, count, copy))
            }
            26 => call!(self.C_DestroyObject(session, self.object())),
            27 => call!(self.C_GetObjectSize(session, self.object(), self.place())),
            28..=30 => {
                let (questions, count) = self.questions();
                call!(self.C_GetAttributeValue(session, self.object(), questions, count))
            }
            31 => {
                let (template, count) = self.template();
                call!(self.C_SetAttributeValue(session, self.object(), template, count))
            }
            32 => {
                let (template, count) = self.template();
                call!(self.C_FindObjectsInit(session, template, count))
            }
            33 => {
                let most = [0, 1, 8, CK_ULONG::MAX][self.below(4)];
                let found = if self.below(8) == 0 { null_mut() } else { self.handles.as_mut_ptr() };
                // Without a service there are few: no more than fit.
                call!(self.C_FindObjects(session, found, most, &raw mut *self.length))
            }
            34 => call!(self.C_FindObjectsFinal(session)),
            35 => call!(self.C_DigestInit(session, self.mechanism())),
            36 => self.through(session, |f| f.C_Digest),
            37 => self.part(session, |f| f.C_DigestUpdate),
            38 => call!(self.C_DigestKey(session, self.object())),
            39 => self.last(session, |f| f.C_DigestFinal),
            40 => self.begin(session, |f| f.C_SignInit),
            41 => self.through(session, |f| f.C_Sign),
            42 => self.part(session, |f| f.C_SignUpdate),
            43 => self.last(session, |f| f.C_SignFinal),
            44 => self.begin(session, |f| f.C_VerifyInit),
            45 => {
                let ((data, length), (signature, more)) = (self.bytes(), self.bytes());
                call!(self.C_Verify(session, data, length, signature, more))
            }
            46 => self.part(session, |f| f.C_VerifyUpdate),
            47 => self.part(session, |f| f.C_VerifyFinal),
            48 => self.begin(session, |f| f.C_EncryptInit),
            49 => self.through(session, |f| f.C_Encrypt),
            50 => self.through(session, |f| f.C_EncryptUpdate),
            51 => self.last(session, |f| f.C_EncryptFinal),
            52 => self.begin(session, |f| f.C_DecryptInit),
            53 => self.through(session, |f| f.C_Decrypt),
            54 => self.through(session, |f| f.C_DecryptUpdate),
            55 => self.last(session, |f| f.C_DecryptFinal),
            56 => {
                let (mechanism, (template, count)) = (self.mechanism(), self.template());
                let rv = call!(self.C_GenerateKey(session, mechanism, template, count, &raw mut *self.length));
                self.made(rv)
            }
            57 => {
                let (mechanism, (public, count), (private, more)) =
                    (self.mechanism(), self.template(), self.template());
                let handles = (self.handle(), self.handle());
                call!(self.C_GenerateKeyPair(session, mechanism, public, count, private, more, handles.0, handles.1))
            }
            58 => {
                let (mechanism, (wrapped, length)) = (self.mechanism(), self.room());
                let keys = (self.object(), self.object());
                call!(self.C_WrapKey(session, mechanism, keys.0, keys.1, wrapped, length))
            }
            59 => {
                let (mechanism, (wrapped, length), (template, count)) =
                    (self.mechanism(), self.bytes(), self.template());
                let (key, made) = (self.object(), self.handle());
                call!(self.C_UnwrapKey(session, mechanism, key, wrapped, length, template, count, made))
            }
            60 => {
                let (mechanism, (template, count)) = (self.mechanism(), self.template());
                let (key, made) = (self.object(), self.handle());
                call!(self.C_DeriveKey(session, mechanism, key, template, count, made))
            }
            61 => {
                let odd = self.below(8);
                let length = self.length(ROOM - odd);
                let random = self.taken.as_mut_ptr().wrapping_add(odd);
                call!(self.C_GenerateRandom(session, if self.below(8) == 0 { null_mut() } else { random }, length))
            }
            62 => {
                let (data, length) = self.bytes();
                call!(self.C_SeedRandom(session, data, length))
            }
            64..=90 => self.operation(session, function % 9),
            _ => call!(self.C_WaitForSlotEvent(CK_FLAGS::from(self.byte()), self.place(), null_mut())),
        }
    }

    /// An operation that is begun as it should be, and goes on as the input likes.
    fn operation(&mut self, session: CK_SESSION_HANDLE, which: usize) -> CK_RV {
        let (kind, key) = match which {
            0 | 1 => ([CKM_SHA256, CKM_SHA_1, CKM_SHA512][self.below(3)], 0),
            2 => (CKM_SHA256_HMAC, SECRET),
            3 | 4 => ([CKM_ECDSA, CKM_ECDSA_SHA256][self.below(2)], PUBLIC_KEY),
            5 | 6 => (CKM_RSA_PKCS_OAEP, RSA_KEY),
            7 => ([CKM_AES_CBC, CKM_AES_CBC_PAD, CKM_AES_GCM][self.below(3)], AES_KEY),
            _ => ([CKM_AES_KEY_WRAP_KWP, CKM_AES_KEY_WRAP_PAD][self.below(2)], AES_KEY),
        };
        let (pParameter, ulParameterLen) = match kind {
            CKM_AES_GCM => self.words(&[self.given.as_ptr() as u64, 12, 96, 0, 0, 128]),
            CKM_RSA_PKCS_OAEP => self.words(&[CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 0]),
            CKM_AES_CBC | CKM_AES_CBC_PAD => (self.given.as_mut_ptr().cast(), 16),
            _ => (null_mut(), 0),
        };
        let mut mechanism = CK_MECHANISM { mechanism: kind, pParameter, ulParameterLen };
        let (mechanism, key) = (&raw mut mechanism, self.objects[key]);
        let rv = match which {
            0 | 1 => call!(self.C_DigestInit(session, mechanism)),
            2 => call!(self.C_SignInit(session, mechanism, key)),
            3 | 4 => call!(self.C_VerifyInit(session, mechanism, key)),
            5 | 6 => call!(self.C_EncryptInit(session, mechanism, key)),
            7 => call!(self.C_DecryptInit(session, mechanism, key)),
            _ => {
                let ((wrapped, length), secret) = (self.room(), self.objects[SECRET]);
                call!(self.C_WrapKey(session, mechanism, key, secret, wrapped, length))
            }
        };
        if rv != CKR_OK || which == 8 {
            return rv;
        }
        for _ in 0..self.below(3) {
            let rv = match which {
                0 | 1 if self.below(2) == 0 => call!(self.C_DigestKey(session, self.objects[SECRET])),
                0 | 1 => self.part(session, |f| f.C_DigestUpdate),
                2 => self.part(session, |f| f.C_SignUpdate),
                3 | 4 => self.part(session, |f| f.C_VerifyUpdate),
                5 | 6 => self.through(session, |f| f.C_EncryptUpdate),
                _ => self.through(session, |f| f.C_DecryptUpdate),
            };
            assert_ne!(rv, CKR_GENERAL_ERROR, "something panicked");
        }
        let once = self.below(2) == 0;
        match which {
            0 | 1 if once => self.through(session, |f| f.C_Digest),
            0 | 1 => self.last(session, |f| f.C_DigestFinal),
            2 if once => self.through(session, |f| f.C_Sign),
            2 => self.last(session, |f| f.C_SignFinal),
            3 | 4 => {
                let (data, length) = self.bytes();
                let signature = self.given.as_mut_ptr().cast();
                call!(self.C_Verify(session, data, length, signature, 64))
            }
            5 | 6 if once => self.through(session, |f| f.C_Encrypt),
            5 | 6 => self.last(session, |f| f.C_EncryptFinal),
            _ if once => self.through(session, |f| f.C_Decrypt),
            _ => self.last(session, |f| f.C_DecryptFinal),
        }
    }

    /// A parameter's structure.
    fn words(&mut self, words: &[u64]) -> (*mut c_void, CK_ULONG) {
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let length = bytes.len() as CK_ULONG;
        (self.keep(bytes), length)
    }

    fn initialize(&mut self) -> CK_RV {
        unsafe extern "C" fn lock(_: *mut c_void) -> CK_RV {
            CKR_OK
        }
        let arguments = CK_C_INITIALIZE_ARGS {
            CreateMutex: None,
            DestroyMutex: (self.below(4) == 0).then_some(lock),
            LockMutex: None,
            UnlockMutex: None,
            flags: CK_FLAGS::from(self.byte()),
            pReserved: if self.below(4) == 0 { self.given.as_mut_ptr().cast() } else { null_mut() },
        };
        let rv = call!(self.C_Initialize((&raw const arguments).cast_mut().cast()));
        if rv == CKR_OK {
            self.open(CKF_SERIAL_SESSION | CKF_RW_SESSION);
            let session = *self.sessions.last().expect("opened at the start");
            call!(self.C_Login(session, CKU_USER, self.given.as_mut_ptr().cast(), 4));
        }
        rv
    }

    fn interfaces(&mut self) -> CK_RV {
        *self.length = [0, 1, 2, 9, CK_ULONG::MAX][self.below(5)];
        call!(self.C_GetInterfaceList(self.place(), &raw mut *self.length))
    }

    fn made(&mut self, rv: CK_RV) -> CK_RV {
        if rv == CKR_OK {
            self.objects.push(*self.length);
        }
        rv
    }

    fn begin(&mut self, session: CK_SESSION_HANDLE, of: fn(&CK_FUNCTION_LIST_3_0) -> CK_C_SignInit) -> CK_RV {
        let (mechanism, key) = (self.mechanism(), self.object());
        // SAFETY: as the target's documentation says.
        unsafe { of(self.f).expect("there")(session, mechanism, key) }
    }

    fn through(&mut self, session: CK_SESSION_HANDLE, of: fn(&CK_FUNCTION_LIST_3_0) -> CK_C_Sign) -> CK_RV {
        let ((data, length), (result, room)) = (self.bytes(), self.room());
        // SAFETY: as the target's documentation says.
        unsafe { of(self.f).expect("there")(session, data, length, result, room) }
    }

    fn part(&mut self, session: CK_SESSION_HANDLE, of: fn(&CK_FUNCTION_LIST_3_0) -> CK_C_SignUpdate) -> CK_RV {
        let (data, length) = self.bytes();
        // SAFETY: as the target's documentation says.
        unsafe { of(self.f).expect("there")(session, data, length) }
    }

    fn last(&mut self, session: CK_SESSION_HANDLE, of: fn(&CK_FUNCTION_LIST_3_0) -> CK_C_SignFinal) -> CK_RV {
        let (result, room) = self.room();
        // SAFETY: as the target's documentation says.
        unsafe { of(self.f).expect("there")(session, result, room) }
    }
}
