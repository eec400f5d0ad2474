//! The PKCS#11 library: loading, slots, tokens, mechanisms.
//!
//! **Invariants**: one library per process, initialized once with OS locking and never again (PKCS#11 v3.0 §5.4);
//! slots are read anew each time, since initializing a token changes their ids.

use std::path::Path;

use chancery_ipc::{FaultReason, KeyAlgorithm, KeyPurpose, Probed, SlotDescription, TokenAccess, TokenDescription};
use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    mechanism::MechanismType,
    slot::{Slot, TokenInfo},
};

use crate::{
    fault::{Failure, while_doing},
    kek::KekMechanism,
};

/// What a token offers.
#[derive(Debug)]
pub(crate) struct Offer {
    /// The algorithms of keys that it makes and uses.
    pub(crate) algorithms: Vec<KeyAlgorithm>,
    /// Its keys on curves can agree on secrets (CKM_ECDH1_DERIVE).
    pub(crate) agrees: bool,
    /// It takes keys that are wrapped (CKM_AES_KEY_WRAP_PAD, RFC 5649).
    pub(crate) unwraps: bool,
    /// How it can encrypt data keys.
    pub(crate) kek_mechanism: Option<KekMechanism>,
}

impl Offer {
    /// Checks that the token makes keys of `algorithm` for `purpose`.
    ///
    /// # Errors
    /// `Unsupported`, naming what it offers.
    pub(crate) fn check(&self, algorithm: KeyAlgorithm, purpose: KeyPurpose) -> Result<(), Failure> {
        let serves = match purpose {
            KeyPurpose::Sign | KeyPurpose::Mac => true,
            KeyPurpose::Agree => self.agrees,
            // RSAES-OAEP: SoftHSM does it with SHA-1 only, and no mechanism list tells which hashes a token takes.
            KeyPurpose::Encrypt => algorithm == KeyAlgorithm::Aes256,
            // CKM_AES_KEY_WRAP_PAD takes objects: bytes would lie in the token as readable ones first.
            KeyPurpose::Wrap | KeyPurpose::Unspecified => false,
        };
        if serves && self.algorithms.contains(&algorithm) {
            return Ok(());
        }
        let message = format!(
            "the token makes no keys of {algorithm:?} for purpose {purpose:?}; it makes {:?}: choose one of those or \
             protection ENCLAVE",
            self.algorithms
        );
        Err(Failure::new(FaultReason::Unsupported, message))
    }
}

/// A loaded and initialized library.
#[derive(Debug)]
pub(crate) struct Library {
    pkcs11: Pkcs11,
    path: String,
}

impl Library {
    /// Loads and initializes the library at `path`, or gives back `loaded` if it is the same.
    pub(crate) fn load<'a>(loaded: &'a mut Option<Self>, path: &str) -> Result<&'a Self, Failure> {
        if let Some(library) = loaded.as_ref()
            && library.path != path
        {
            return Err(Failure::bad_request(format!(
                "this process has loaded {}; another library needs another process",
                library.path
            )));
        }
        if loaded.is_none() {
            *loaded = Some(Self::load_new(path)?);
        }
        Ok(loaded.as_ref().expect("just loaded"))
    }

    fn load_new(path: &str) -> Result<Self, Failure> {
        let unusable = |failure: Failure| Failure { reason: FaultReason::LibraryUnusable, ..failure };
        // A bare name would be searched along LD_LIBRARY_PATH.
        if !Path::new(path).is_absolute() {
            let message = format!("the library's path must be absolute: {path:?}");
            return Err(Failure::new(FaultReason::LibraryUnusable, message));
        }
        let pkcs11 = Pkcs11::new(path).map_err(while_doing("loading the PKCS#11 library")).map_err(unusable)?;
        pkcs11
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(while_doing("initializing the PKCS#11 library"))
            .map_err(unusable)?;
        // A seccomp profile of this library would be loaded here: see `hardening`.
        Ok(Self { pkcs11, path: path.to_owned() })
    }

    /// The context, for opening sessions.
    pub(crate) fn pkcs11(&self) -> &Pkcs11 {
        &self.pkcs11
    }

    /// Ends the library (C_Finalize). All sessions must be closed.
    pub(crate) fn finalize(self) -> Result<(), Failure> {
        self.pkcs11.finalize().map_err(while_doing("ending the PKCS#11 library"))
    }

    /// Describes the library and its slots. A slot whose token can't be read is described as uninitialized.
    pub(crate) fn describe(&self) -> Result<Probed, Failure> {
        let library = self.name()?;
        let mut slots = Vec::new();
        for slot in self.slots()? {
            slots.push(match self.pkcs11.get_token_info(slot) {
                Ok(info) => SlotDescription {
                    slot: slot.id(),
                    token: describe(&info),
                    initialized: info.token_initialized(),
                    user_pin_initialized: info.user_pin_initialized(),
                    mechanisms: self.mechanism_names(slot)?,
                },
                Err(_) => SlotDescription { slot: slot.id(), ..SlotDescription::default() },
            });
        }
        Ok(Probed { library, slots })
    }

    /// The one initialized token with this label.
    ///
    /// # Errors
    /// `TokenNotFound` when there is none or more than one; `TokenUninitialized` when it has no user PIN.
    pub(crate) fn token(&self, label: &str) -> Result<(Slot, TokenInfo), Failure> {
        let mut found = self.tokens_labelled(label)?;
        let Some((slot, info)) = found.pop() else {
            let message = format!("no token has the label {label:?}: check the label, or initialize a token");
            return Err(Failure::new(FaultReason::TokenNotFound, message));
        };
        if !found.is_empty() {
            let message = format!("{} tokens have the label {label:?}: give each its own", found.len() + 1);
            return Err(Failure::new(FaultReason::TokenNotFound, message));
        }
        if !info.user_pin_initialized() {
            let message = format!("the token {label:?} has no user PIN: its security officer must set it");
            return Err(Failure::new(FaultReason::TokenUninitialized, message));
        }
        Ok((slot, info))
    }

    /// The initialized tokens with this label.
    pub(crate) fn tokens_labelled(&self, label: &str) -> Result<Vec<(Slot, TokenInfo)>, Failure> {
        let mut found = Vec::new();
        for slot in self.slots()? {
            // One dead slot must not hide a healthy token in the next.
            if let Ok(info) = self.pkcs11.get_token_info(slot)
                && info.token_initialized()
                && info.label() == label
            {
                found.push((slot, info));
            }
        }
        Ok(found)
    }

    /// The first slot whose token waits to be initialized. SoftHSM always offers one, in its last slot.
    pub(crate) fn free_slot(&self) -> Result<Option<(Slot, TokenInfo)>, Failure> {
        let infos = self.slots()?.into_iter().filter_map(|slot| Some((slot, self.pkcs11.get_token_info(slot).ok()?)));
        Ok(infos.into_iter().find(|(_, info)| !info.token_initialized()))
    }

    /// What the token can make and use, judged by its mechanisms and their key sizes.
    pub(crate) fn offer(&self, slot: Slot) -> Result<Offer, Failure> {
        use MechanismType as M;
        let doing = while_doing("reading the token's mechanisms");
        let offered = self.pkcs11.get_mechanism_list(slot).map_err(&doing)?;
        let info = |mechanism| self.pkcs11.get_mechanism_info(slot, mechanism).map_err(&doing);
        let has = |mechanisms: [M; 2]| mechanisms.iter().all(|mechanism| offered.contains(mechanism));
        let mut algorithms = Vec::new();
        let mut sized = |mechanism, candidates: &[(KeyAlgorithm, usize)]| {
            let info = info(mechanism)?;
            let fits = |bits: usize| info.min_key_size() <= bits && bits <= info.max_key_size();
            algorithms.extend(candidates.iter().filter(|(_, bits)| fits(*bits)).map(|(algorithm, _)| *algorithm));
            Ok::<(), Failure>(())
        };
        if has([M::ECC_KEY_PAIR_GEN, M::ECDSA]) {
            use KeyAlgorithm::{EcP256, EcP384, EcP521, EcSecp256k1};
            sized(M::ECC_KEY_PAIR_GEN, &[(EcP256, 256), (EcP384, 384), (EcP521, 521), (EcSecp256k1, 256)])?;
        }
        if has([M::RSA_PKCS_KEY_PAIR_GEN, M::RSA_PKCS]) {
            use KeyAlgorithm::{Rsa2048, Rsa3072, Rsa4096};
            sized(M::RSA_PKCS_KEY_PAIR_GEN, &[(Rsa2048, 2048), (Rsa3072, 3072), (Rsa4096, 4096)])?;
        }
        if has([M::ECC_EDWARDS_KEY_PAIR_GEN, M::EDDSA]) {
            algorithms.push(KeyAlgorithm::Ed25519);
        }
        if has([M::GENERIC_SECRET_KEY_GEN, M::SHA256_HMAC]) {
            algorithms.push(KeyAlgorithm::HmacSha256);
        }
        // Some tokens have a mechanism for wrapping only.
        let encrypts = |mechanism| {
            Ok::<_, Failure>(
                has([M::AES_KEY_GEN, mechanism]) && {
                    let info = info(mechanism)?;
                    info.encrypt() && info.decrypt()
                },
            )
        };
        let gcm = encrypts(M::AES_GCM)?;
        if gcm {
            algorithms.push(KeyAlgorithm::Aes256);
        }
        algorithms.sort_unstable();
        let kek_mechanism = match gcm {
            true => Some(KekMechanism::AesGcm),
            false if encrypts(M::AES_CBC)? => Some(KekMechanism::AesCbc),
            false => None,
        };
        let wrapping = M::AES_KEY_WRAP_PAD;
        let unwraps = offered.contains(&wrapping) && info(wrapping)?.unwrap();
        Ok(Offer { algorithms, agrees: offered.contains(&M::ECDH1_DERIVE), unwraps, kek_mechanism })
    }

    /// `CK_INFO.libraryDescription` and version.
    pub(crate) fn name(&self) -> Result<String, Failure> {
        let info = self.pkcs11.get_library_info().map_err(while_doing("describing the library"))?;
        Ok(format!("{} {}", info.library_description().trim(), info.library_version()))
    }

    fn mechanism_names(&self, slot: Slot) -> Result<Vec<String>, Failure> {
        let mechanisms = self.pkcs11.get_mechanism_list(slot).map_err(while_doing("reading the token's mechanisms"))?;
        let mut names: Vec<_> = mechanisms.iter().map(ToString::to_string).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn slots(&self) -> Result<Vec<Slot>, Failure> {
        self.pkcs11.get_slots_with_token().map_err(while_doing("reading the slots"))
    }
}

/// What the conversation says of a token.
pub(crate) fn describe(info: &TokenInfo) -> TokenDescription {
    TokenDescription {
        label: info.label().trim().to_owned(),
        model: info.model().trim().to_owned(),
        manufacturer: info.manufacturer_id().trim().to_owned(),
        serial: info.serial_number().trim().to_owned(),
    }
}

/// `access` without an empty part.
pub(crate) fn check_access(access: &TokenAccess) -> Result<(), Failure> {
    if access.label.is_empty() || access.label.len() > 32 || access.label.trim() != access.label {
        return Err(Failure::bad_request("a token's label has 1 to 32 bytes and no space at its ends"));
    }
    Ok(())
}
