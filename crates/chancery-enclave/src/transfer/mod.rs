//! Keys on their way in and out, and statements about them: the verbs of `chancery-ipc`'s transfer messages, on the
//! control thread. The formats are those of `chancery-transfer`.
//!
//! **Invariants**
//! * A private key comes in sealed to a transport key or encrypted in a backup, and leaves encrypted in a backup: nothing
//!   else here gives key bytes to anyone.
//! * A transport key, a backup or a restore under way serves the one organization that it was made for.
//! * They are forgotten in time even if nobody asks again ([`Transfers::forget_expired`]), and when the process ends.
//!
//! **Not here**: who may ask (chanceryd), what a restored version's state is and whether it may come back (chanceryd).

mod attest;
mod backup;
mod import;
mod restore;
mod token_import;
mod transport;
mod under_way;
mod words;

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chancery_ipc::{FaultReason, TokenDescription, request::Verb, response::Result as Reply};
use chancery_transfer::{
    backup::{BackupError, Opener, Sealer},
    statement::{Witness, printable},
};

use self::{transport::TransportKeys, under_way::UnderWay};
use crate::{
    audit_key::AuditKey,
    fault::Failure,
    generate::Maker,
    login::LoggedIn,
    objects,
    serve::{Running, Shared},
};

/// What a verb works with.
pub(crate) struct Surroundings<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) logged_in: &'a LoggedIn,
    pub(crate) running: &'a Running,
}

/// What is under way.
pub(crate) struct Transfers {
    audit_key: AuditKey,
    /// Who makes statements; the time is filled in.
    witness: Witness,
    transport_keys: TransportKeys,
    /// Knows what the token accepts of the template of an imported key.
    importer: Maker,
    backups: UnderWay<Sealer>,
    restores: UnderWay<Opener>,
}

impl Transfers {
    pub(crate) fn new(audit_key: AuditKey, token: &TokenDescription, library: &str, incarnation: [u8; 16]) -> Self {
        let witness = Witness {
            manufacturer: printable(&token.manufacturer),
            model: printable(&token.model),
            serial: printable(&token.serial),
            library: printable(library),
            incarnation,
            time_unix_millis: 0,
        };
        Self {
            audit_key,
            witness,
            transport_keys: TransportKeys::default(),
            importer: Maker::new(),
            backups: UnderWay::new("backup"),
            restores: UnderWay::new("restore"),
        }
    }

    /// Does what `verb` asks for.
    pub(crate) fn perform(&mut self, around: &Surroundings<'_>, verb: Verb) -> Result<Reply, Failure> {
        self.forget_expired();
        match verb {
            Verb::Attest(request) => self.attest(around, &request).map(Reply::Attested),
            Verb::CreateTransportKey(request) => {
                self.create_transport_key(around, &request).map(Reply::TransportKeyCreated)
            }
            Verb::ImportKey(request) => self.import(around, request).map(Reply::KeyImported),
            Verb::BeginBackup(request) => self.begin_backup(around, &request).map(Reply::BackupBegun),
            Verb::BackUpKey(request) => self.back_up(around, request).map(Reply::KeyBackedUp),
            Verb::EndBackup(request) => self.end_backup(&request).map(Reply::BackupEnded),
            Verb::BeginRestore(request) => self.begin_restore(around, &request).map(Reply::RestoreBegun),
            Verb::RestoreKey(request) => self.restore(around, request).map(Reply::KeyRestored),
            Verb::EndRestore(request) => self.end_restore(&request).map(Reply::RestoreEnded),
            _ => Err(Failure::bad_request("the request reached a thread that does not answer it")),
        }
    }

    /// Wipes what nobody may use any more.
    pub(crate) fn forget_expired(&mut self) {
        let now = Instant::now();
        self.transport_keys.forget_expired(now);
        self.backups.forget_idle(now);
        self.restores.forget_idle(now);
    }

    fn witness_now(&self) -> Witness {
        Witness { time_unix_millis: unix_millis(), ..self.witness.clone() }
    }
}

/// Now, milliseconds since the Unix epoch.
fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The organization of a backup's name, `organizations/{organization}/backups/{backup}`.
fn organization_of_backup(backup: &str) -> Result<&str, Failure> {
    let wrong = || Failure::bad_request("a backup's name is organizations/{organization}/backups/{backup}");
    let organization = objects::organization_of(backup).map_err(|_| wrong())?;
    objects::check_organization(organization)?;
    let id = backup.strip_prefix("organizations/").and_then(|rest| rest.strip_prefix(organization));
    let id = id.and_then(|rest| rest.strip_prefix("/backups/")).ok_or_else(wrong)?;
    if id.is_empty() || id.len() > 255 || id.contains('/') || id.chars().any(char::is_control) {
        return Err(wrong());
    }
    Ok(organization)
}

/// What the service is told of a backup that is wrong.
fn refused(error: &BackupError) -> Failure {
    use BackupError as E;
    let reason = match error {
        E::Shares(_) | E::WrongShare { .. } | E::ShareTwice { .. } | E::NoSuchCustodian { .. } => {
            FaultReason::BadShares
        }
        _ => FaultReason::Tampered,
    };
    Failure::new(reason, error.to_string())
}
