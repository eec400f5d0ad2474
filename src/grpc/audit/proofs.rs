//! Checkpoints and proofs: what members compare among themselves.

use super::Service;
use crate::{
    access::{Caller, Peer, Target},
    audit::{Query, ReceiptError, TreeError, concerns},
    error::{Error, Performed},
    grpc::convert,
    model::{Action, RequestId},
    policy::Context,
    witnesses::{Standing, View, Witness, Witnessed},
};
use chancery_api::{
    reasons,
    v1::{self, get_inclusion_proof_request::Record as Asked},
};
use chancery_audit::{
    checkpoint::Checkpoint,
    record::{Kind, Outcome, Record},
};
use prost::Message;
use prost_types::Timestamp;
use std::{sync::Arc, time::Duration};

/// So many records of one request are looked at for what came of it.
const RECORDS: usize = 4000;

/// How long a proof waits for a checkpoint that covers the newest records.
const PATIENCE: Duration = Duration::from_secs(2);

fn witnessing(view: View) -> v1::Witnessing {
    let witness = |of: Witness| v1::Witness {
        name: format!("organizations/{}", of.name),
        vkey: of.key.to_string(),
        size: of.last.size,
        cosign_time: (of.last.time > 0)
            .then(|| Timestamp { seconds: of.last.time.try_into().unwrap_or(i64::MAX), nanos: 0 }),
    };
    let refused = match view.standing {
        Standing::Open => String::new(),
        Standing::Waiting { text } | Standing::Refused { text } => text,
    };
    v1::Witnessing {
        cosigning: view.cosigning,
        witnessed: view.witnessed,
        witnesses: view.witnesses.into_iter().map(witness).collect(),
        required: view.required.try_into().unwrap_or(u32::MAX),
        refused,
    }
}

impl Service {
    /// Who asks, if members may.
    async fn member(&self, peer: &Arc<Peer>, action: Action) -> Result<Caller, Error> {
        let caller = self.admission.identify(peer, action).await?;
        let target = Target::Organization(caller.principal().name.organization().clone());
        let request = RequestId::default();
        let _grant = self.admission.authorize(&caller, action, target, Context::new(), &request).await?;
        Ok(caller)
    }

    /// With the cosignatures that are known for it.
    fn wire(&self, (checkpoint, note): (Checkpoint, String)) -> v1::Checkpoint {
        let note = self.witnesses.with_cosignatures(&checkpoint, note);
        let (size, root) = (checkpoint.size, checkpoint.root.to_vec());
        v1::Checkpoint { note, size, root, witnessing: self.witnesses.view().map(witnessing) }
    }

    pub(super) async fn checkpoint(&self, peer: &Arc<Peer>) -> Result<v1::Checkpoint, Error> {
        self.member(peer, Action::GetCheckpoint).await?;
        Ok(self.wire(self.current()?))
    }

    fn current(&self) -> Result<(Checkpoint, String), Error> {
        self.checkpoints.current().ok_or_else(|| Error::Unavailable {
            reason: reasons::AUDIT_UNAVAILABLE,
            message: "no checkpoint was signed since the service started. Try again".into(),
            performed: Performed::No,
        })
    }

    pub(super) async fn inclusion(
        &self,
        peer: &Arc<Peer>,
        asked: v1::GetInclusionProofRequest,
    ) -> Result<v1::InclusionProof, Error> {
        let caller = self.member(peer, Action::GetInclusionProof).await?;
        let index = match asked.record {
            Some(Asked::Index(index)) => index,
            Some(Asked::RequestId(id)) => self.own_outcome(&caller, &convert::request_id(&id)?).await?,
            None => return Err(Error::invalid("record", "an index or a request id is needed")),
        };
        let (durable, _) = self.admission.audit().tree();
        if index >= durable {
            return Err(Error::invalid("index", format!("the log has records 0 to {}", durable.saturating_sub(1))));
        }
        let (checkpoint, note, cosignatures) = if asked.witnessed {
            let found = self.witnesses.witnessed().filter(|found| found.checkpoint.size > index);
            let Witnessed { checkpoint, own, cosigned } = found.ok_or_else(|| not_witnessed(index))?;
            (checkpoint, own, cosigned)
        } else {
            let newest = self.receipts.covering(index, PATIENCE).await.map_err(|error| unproven(&error))?;
            (newest.0, newest.1, String::new())
        };
        // Read whoever asks, so that nothing but the answer's own form tells whose it is.
        let stored = self.admission.audit().stored(index).await.map_err(Error::internal)?;
        let stored = stored.filter(|stored| self.may_read(&caller, stored));
        let proof = self.receipts.prove(stored.as_deref(), index, &checkpoint, &note).await;
        Ok(v1::InclusionProof {
            receipt: proof.map_err(|error| unproven(&error))?,
            index,
            size: checkpoint.size,
            with_record: stored.is_some(),
            cosignatures,
        })
    }

    /// Whether a record's bytes may go to a caller: it is about what the caller did itself, or about its organization,
    /// whose records it may list. That it may not is no denial: it gets the proof without them.
    fn may_read(&self, caller: &Caller, stored: &[u8]) -> bool {
        let Ok(record) = Record::decode(stored) else { return false };
        let name = &caller.principal().name;
        let organization = name.organization();
        let own =
            (record.principal.as_ref()).is_some_and(|by| by.organization == organization.id() && by.name == name.id());
        let lists = || {
            let log = Target::Log(organization.clone());
            self.admission.access().authorize(caller, Action::ListRecords, log, Context::new()).is_ok()
        };
        own || (concerns(&record, organization.id()) && lists())
    }

    /// The record of what came of the caller's own request with this id: its newest success, otherwise the newest end.
    /// Nothing keeps an id from being used again and again: it is looked for among the newest.
    async fn own_outcome(&self, caller: &Caller, request: &str) -> Result<u64, Error> {
        let name = &caller.principal().name;
        let organization = name.organization().id().to_owned();
        let mut query = Query {
            principal: Some((organization.clone(), name.id().to_owned())),
            organization,
            request_id: Some(request.to_owned()),
            newest_first: true,
            from: u64::MAX,
            limit: 1000,
            ..Query::default()
        };
        let (mut ended, mut looked_at) = (None, 0);
        while looked_at < RECORDS {
            let page = self.admission.audit().page(query.clone()).await.map_err(Error::internal)?;
            looked_at += page.records.len();
            for record in page.records {
                match (record.kind(), record.outcome()) {
                    (Kind::Outcome, Outcome::Succeeded) => return Ok(record.index),
                    (Kind::Intent, _) => {}
                    _ => ended = ended.or(Some(record.index)),
                }
            }
            match page.next {
                Some(next) => query.from = next,
                None => return ended.ok_or_else(|| Error::NotFound(format!("a record of your request {request}"))),
            }
        }
        Err(Error::invalid(
            "request_id",
            format!(
                "too many records to find what came of your request {request}; look for it with `chancery audit list`, and \
                 ask by its index"
            ),
        ))
    }

    pub(super) async fn consistency(
        &self,
        peer: &Arc<Peer>,
        asked: v1::GetConsistencyProofRequest,
    ) -> Result<v1::ConsistencyProof, Error> {
        self.member(peer, Action::GetConsistencyProof).await?;
        let newest = self.current()?;
        let v1::GetConsistencyProofRequest { old_size, new_size } = asked;
        let new_size = if new_size == 0 { newest.0.size } else { new_size };
        let hashes = self.admission.audit().consistency(old_size, new_size).await.map_err(|error| no_proof(&error))?;
        Ok(v1::ConsistencyProof {
            old_size,
            new_size,
            hashes: hashes.iter().map(|hash| hash.to_vec()).collect(),
            checkpoint: (newest.0.size == new_size).then(|| self.wire(newest)),
        })
    }
}

fn not_witnessed(index: u64) -> Error {
    Error::Unavailable {
        reason: reasons::WITNESSES_MISSING,
        message: format!("no quorum of witnesses has cosigned a checkpoint with record {index} in it yet. Try again"),
        performed: Performed::No,
    }
}

fn no_proof(error: &TreeError) -> Error {
    match error {
        TreeError::Beyond { .. } => Error::invalid("new_size", error),
        TreeError::Shrunk { .. } => Error::invalid("old_size", error),
        TreeError::NotIn { .. } => Error::invalid("index", error),
        TreeError::Tile { .. } | TreeError::Files(_) => Error::internal(error),
    }
}

fn unproven(error: &ReceiptError) -> Error {
    match error {
        ReceiptError::NoCheckpoint(_) => Error::Unavailable {
            reason: reasons::AUDIT_UNAVAILABLE,
            message: format!("{error}; the record stands in the log. Try again"),
            performed: Performed::No,
        },
        ReceiptError::Tree(error) => no_proof(error),
        ReceiptError::Record { .. } => Error::internal(error),
    }
}
