//! pkcs11.toml: where the service is, which slots there are, and what single clients need.
//!
//! **Invariants**
//! * A [`Config`] is complete and consistent: every file that it names was read.
//! * Unknown keys, and unknown values of known ones, are errors; paths are relative to the file.
//!
//! **Not here**: reading certificates and keys for TLS (chancery-client).

use super::pin::Pin;
use chancery_api::{names::OrganizationName, v1::Protection};
use chancery_client::{ClientConfig, ConfigError, RawClientConfig, RawLog, read_toml};
use serde::Deserialize;
use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the file is if the environment does not say.
const DEFAULT_PATH: &str = "/etc/chancery/pkcs11.toml";
/// CK_TOKEN_INFO has so many bytes for it.
const LONGEST_LABEL: usize = 32;

/// All that pkcs11.toml says.
pub struct Config {
    /// Addresses and credentials, as chancery-client takes them.
    pub client: ClientConfig,
    /// For one call, retries included.
    pub deadline: Duration,
    /// Slot ids count from 1: `slots[0]` is slot 1.
    pub slots: Vec<SlotConfig>,
}

/// One slot with its token.
pub struct SlotConfig {
    /// The token's label, at most 32 bytes.
    pub label: String,
    /// organizations/{organization}
    pub organization: String,
    /// Of keys generated through it.
    pub protection: Protection,
    /// What the PIN must equal; without it any that is not empty will do.
    pub pin: Option<Pin>,
    /// Numbers of SM2 and SM3 mechanisms.
    pub sm2: Sm2Profile,
    /// What single clients need and the standard does not have.
    pub quirks: Quirks,
}

/// Vendors whose numbers for SM2 and SM3 a slot uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sm2Profile {
    /// Sansec's, which ChainMaker uses by default.
    #[default]
    Sansec,
    /// IBM's (EP11, z CCA).
    Ibm,
    /// Westone's.
    Westone,
}

/// Named switches, all off unless the file says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// `lenient_login`: C_Login answers CKR_OK where the user is logged in already (fabric-sdk-node).
    pub lenient_login: bool,
    /// `lenient_initialize`: C_Initialize answers CKR_OK a second time (fabric-gateway beside another user of the module).
    pub lenient_initialize: bool,
    /// `overlapping_signatures`: C_SignInit while the same mechanism and key are initialized counts one more C_Sign
    /// (fabric-gateway for Node, several signatures at once by one signer).
    pub overlapping_signatures: bool,
    /// `ecdsa_der`: CKM_ECDSA*, and SM2 of messages whose signatures are r ‖ s otherwise, give and take DER (ChainMaker).
    pub ecdsa_der: bool,
    /// `ecdsa_low_s`: CKM_ECDSA* give the smaller s.
    pub ecdsa_low_s: bool,
    /// `rsa_and_ec_only`: C_FindObjects shows no key pairs of other types (OpenSSL's engine to 0.4.12 gives up at one).
    pub rsa_and_ec_only: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    addresses: Vec<String>,
    server_name: Option<String>,
    ca: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
    deadline: Option<String>,
    log: Option<RawLog>,
    slot: Vec<RawSlot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSlot {
    label: String,
    organization: String,
    #[serde(default)]
    protection: RawProtection,
    pin_file: Option<PathBuf>,
    #[serde(default)]
    sm2: Sm2Profile,
    #[serde(default)]
    quirks: Vec<RawQuirk>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawProtection {
    #[default]
    Token,
    Enclave,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawQuirk {
    LenientLogin,
    LenientInitialize,
    OverlappingSignatures,
    EcdsaDer,
    EcdsaLowS,
    RsaAndEcOnly,
}

impl Config {
    /// The file that `CHANCERY_PKCS11_CONF` names, else /etc/chancery/pkcs11.toml.
    pub fn path() -> PathBuf {
        env::var_os("CHANCERY_PKCS11_CONF").filter(|path| !path.is_empty()).map_or(DEFAULT_PATH.into(), PathBuf::from)
    }

    /// Reads the file and those that it names.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file and the key at fault.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let raw: RawConfig = read_toml(path)?;
        let client = RawClientConfig {
            address: None,
            addresses: Some(raw.addresses),
            server_name: raw.server_name,
            ca: raw.ca,
            certificate: raw.certificate,
            key: raw.key,
            deadline: raw.deadline,
            organization: None,
            log: raw.log,
        };
        let client = client.parse(path)?;
        let mut slots: Vec<SlotConfig> = Vec::new();
        for slot in raw.slot {
            let slot = slot.parse(path)?;
            if slots.iter().any(|other| other.label == slot.label) {
                return Err(wrong(
                    path,
                    "label",
                    format!("{:?} is given to two slots: clients tell them apart by it", slot.label),
                ));
            }
            slots.push(slot);
        }
        if slots.is_empty() {
            return Err(wrong(path, "slot", "is missing: a client finds its token in one"));
        }
        Ok(Self { deadline: client.deadline(), client, slots })
    }
}

impl RawSlot {
    fn parse(self, path: &Path) -> Result<SlotConfig, ConfigError> {
        let Self { label, organization, protection, pin_file, sm2, quirks } = self;
        if label.is_empty() || label.len() > LONGEST_LABEL || label.trim() != label || label.contains(char::is_control)
        {
            let problem = format!("must be 1 to {LONGEST_LABEL} bytes without spaces around them, and not {label:?}");
            return Err(wrong(path, "label", problem));
        }
        let organization: OrganizationName =
            organization.parse().map_err(|error| wrong(path, "organization", format!("is wrong: {error}")))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let pin = pin_file.map(|pin_file| Pin::read(&folder.join(pin_file))).transpose()?;
        let protection = match protection {
            RawProtection::Token => Protection::Token,
            RawProtection::Enclave => Protection::Enclave,
        };
        Ok(SlotConfig {
            label,
            organization: organization.to_string(),
            protection,
            pin,
            sm2,
            quirks: switches(&quirks),
        })
    }
}

fn switches(given: &[RawQuirk]) -> Quirks {
    let mut quirks = Quirks::default();
    for quirk in given {
        let switch = match quirk {
            RawQuirk::LenientLogin => &mut quirks.lenient_login,
            RawQuirk::LenientInitialize => &mut quirks.lenient_initialize,
            RawQuirk::OverlappingSignatures => &mut quirks.overlapping_signatures,
            RawQuirk::EcdsaDer => &mut quirks.ecdsa_der,
            RawQuirk::EcdsaLowS => &mut quirks.ecdsa_low_s,
            RawQuirk::RsaAndEcOnly => &mut quirks.rsa_and_ec_only,
        };
        *switch = true;
    }
    quirks
}

fn wrong(path: &Path, key: &'static str, problem: impl Into<String>) -> ConfigError {
    ConfigError::Value { path: path.to_owned(), key, problem: problem.into() }
}
