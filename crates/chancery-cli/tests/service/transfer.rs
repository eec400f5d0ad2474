//! The enclave's side of imports and backups: opens what the command seals, and makes files that it can read.

use super::Service;
use chancery_api::v1::{
    Attestation, BackUpKeysRequest, BackUpKeysResponse, Backup, ImportJob, ImportKeyRequest, RestoreBackupRequest,
    RestoreBackupResponse, RestoreHeader, restore_backup_request::Part,
};
use chancery_audit::{checkpoint::VerifierKey, record::ResourceState};
use chancery_transfer::{
    backup::{self, Entry, Header, Opener, custody, file},
    envelope::{self, Context, PrivateKey},
    statement::{Statement, TransportKeyStatement, TransportPurpose, Witness},
};
use ed25519_dalek::{Signer as _, SigningKey, pkcs8::EncodePublicKey as _};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::sync::Mutex;

const DEPLOYMENT: &str = "test";
const BACKUP: &str = "organizations/org1/backups/b1";
const ID: [u8; 16] = [9; 16];
/// A version that the backup holds.
pub(crate) const BACKED_UP: &str = "organizations/org1/keys/a/versions/1";

/// What a restore asked for.
#[derive(Clone)]
pub(crate) struct Restore {
    pub(crate) asked: RestoreHeader,
    pub(crate) states: Vec<Vec<u8>>,
}

/// What the service keeps of keys on their way.
pub(crate) struct Kept {
    audit: SigningKey,
    transport: PrivateKey,
    imported: Mutex<Vec<Vec<u8>>>,
    restored: Mutex<Vec<Restore>>,
}

impl Service {
    /// The audit key's vkey text.
    pub(crate) fn vkey(&self) -> String {
        let spki = self.0.transfer.audit.verifying_key().to_public_key_der().unwrap();
        format!("{}\n", VerifierKey::from_spki("log.example", spki.as_bytes()).unwrap())
    }

    /// The keys that came in, opened.
    pub(crate) fn imported(&self) -> Vec<Vec<u8>> {
        self.0.transfer.imported.lock().unwrap().clone()
    }

    /// What restores were asked for.
    pub(crate) fn restored(&self) -> Vec<Restore> {
        self.0.transfer.restored.lock().unwrap().clone()
    }
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            audit: SigningKey::from_bytes(&[7; 32]),
            transport: PrivateKey::generate(),
            imported: Mutex::default(),
            restored: Mutex::default(),
        }
    }

    pub(super) fn job(&self, parent: &str, purpose: TransportPurpose) -> ImportJob {
        let public_key = self.transport.public_key().to_bytes();
        let unknown = || "unknown".to_owned();
        let said = Statement::TransportKey(TransportKeyStatement {
            deployment: DEPLOYMENT.into(),
            organization: parent.strip_prefix("organizations/").unwrap().into(),
            purpose,
            id: ID,
            public_key,
            expires_unix_millis: 1,
            witness: Witness {
                manufacturer: unknown(),
                model: unknown(),
                serial: unknown(),
                library: unknown(),
                incarnation: [1; 16],
                time_unix_millis: 1,
            },
        });
        let statement = said.text().unwrap();
        let signature = self.audit.sign(statement.as_bytes()).to_bytes().to_vec();
        ImportJob {
            id: ID.to_vec(),
            public_key: public_key.to_vec(),
            expire_time: None,
            attestation: Some(Attestation { statement, signature }),
            deployment: DEPLOYMENT.into(),
        }
    }

    pub(super) fn import(&self, version: &str, request: &ImportKeyRequest) {
        let context = Context::Import {
            deployment: DEPLOYMENT,
            version,
            algorithm: "ec-p256",
            purpose: "sign",
            transport_key: &ID,
        };
        let key = envelope::open(&self.transport, &context, &request.sealed_key).unwrap();
        self.imported.lock().unwrap().push(key.to_vec());
    }

    /// A backup of one key, in pieces of ten bytes.
    pub(super) fn back_up(&self, request: &BackUpKeysRequest) -> Vec<BackUpKeysResponse> {
        let custodians: Vec<_> =
            request.custodians.iter().map(|of| (of.principal.as_str(), of.public_key.as_slice())).collect();
        let (header, mut sealer) = backup::begin(&backup::Backup {
            deployment: DEPLOYMENT,
            organization: "org1",
            backup: BACKUP,
            time_unix_millis: 1,
            log_size: 1,
            threshold: request.threshold as usize,
            custodians: &custodians,
        })
        .unwrap();
        let mut bytes = Vec::new();
        let mut writer = file::Writer::begin(&header, &mut bytes).unwrap();
        let state = ResourceState { name: BACKED_UP.into(), ..ResourceState::default() };
        writer.state(&state.encode_to_vec(), &mut bytes).unwrap();
        let entry = Entry {
            version: BACKED_UP,
            algorithm: "ec-p256",
            purpose: "sign",
            origin: "generated",
            public_key_sha256: &[0; 32],
            secret: b"the key",
        };
        writer.entry(&sealer.seal(&entry).unwrap(), &mut bytes).unwrap();
        let trailer = sealer.finish(&writer.states_sha256());
        writer.finish(&trailer, &mut bytes).unwrap();

        let chunk = |chunk: &[u8]| BackUpKeysResponse { chunk: chunk.to_vec(), done: 0, total: 1, backup: None };
        let mut answers: Vec<_> = bytes.chunks(bytes.len() / 20).map(chunk).collect();
        let made = Backup {
            name: BACKUP.into(),
            versions: 1,
            token_versions: 2,
            threshold: request.threshold,
            custodians: custodians.iter().map(|(principal, _)| (*principal).to_owned()).collect(),
            sha256: Sha256::digest(&bytes).to_vec(),
            create_time: None,
        };
        answers.push(BackUpKeysResponse { chunk: Vec::new(), done: 1, total: 1, backup: Some(made) });
        answers
    }

    /// Opens the file with the shares, as an enclave does.
    pub(super) fn restore(&self, parts: Vec<RestoreBackupRequest>) -> RestoreBackupResponse {
        let mut parts = parts.into_iter().map(|part| part.part.unwrap());
        let Some(Part::Header(asked)) = parts.next() else { panic!("the header comes first") };
        let mut reader = file::Reader::default();
        let mut states = Vec::new();
        for part in parts {
            match part {
                Part::LoggedStates(more) => states.extend(more.states),
                Part::Chunk(chunk) => reader.extend(&chunk),
                Part::Header(_) => panic!("one header is enough"),
            }
        }
        let mut opener: Option<Opener> = None;
        let mut restored = 0;
        while let Some(frame) = reader.next_frame().unwrap() {
            match frame {
                file::Frame::Header(bytes) => {
                    let name = Header::decode(&bytes).unwrap().backup;
                    let share = |sealed: &Vec<u8>| {
                        custody::receive_share(&self.transport, DEPLOYMENT, &name, &ID, sealed).unwrap()
                    };
                    let shares: Vec<_> = asked.shares.iter().map(share).collect();
                    opener = Some(Opener::open(&bytes, &shares).unwrap().1);
                }
                file::Frame::Entry(bytes) => {
                    assert_eq!(*opener.as_mut().unwrap().entry(&bytes).unwrap().secret, b"the key");
                    restored += 1;
                }
                file::Frame::State(_) => {}
                file::Frame::Trailer(bytes) => {
                    opener.take().unwrap().finish(&bytes, &reader.states_sha256()).unwrap();
                }
            }
        }
        reader.finish().unwrap();
        self.restored.lock().unwrap().push(Restore { asked, states });
        RestoreBackupResponse { restored, ..RestoreBackupResponse::default() }
    }
}
