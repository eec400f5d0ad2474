//! Every state and event, for keys in the token and in the enclave, against a table written from docs/key-lifecycle.md's
//! words and NIST SP 800-57, not from the code.

use crate::{
    harness::{Deployment, expect_code},
    parties::{Event, LONG, Parties, from_now, refused, signer, version},
    shared::{call, key, make},
};
use chancery_api::{
    reasons,
    v1::{GetPublicKeyRequest, Key, KeyState, KeyVersion, Protection},
};
use futures_util::future::join_all;

/// A state; `*`: with its destruction scheduled, `!`: marked as compromised although it is DESTROYED. In each column what
/// the event makes of it, or `-`.
const TABLE: &str = "
                activate  suspend    deactivate   compromise    destroy        restore      expire
PRE_ACTIVE      ACTIVE    -          -            COMPROMISED   PRE_ACTIVE*    -            -
PRE_ACTIVE*     -         -          -            COMPROMISED*  -              PRE_ACTIVE   -
ACTIVE          -         SUSPENDED  DEACTIVATED  COMPROMISED   DEACTIVATED*   -            DEACTIVATED
SUSPENDED       ACTIVE    -          DEACTIVATED  COMPROMISED   DEACTIVATED*   -            DEACTIVATED
DEACTIVATED     -         -          -            COMPROMISED   DEACTIVATED*   -            -
DEACTIVATED*    -         -          -            COMPROMISED*  -              DEACTIVATED  -
COMPROMISED     -         -          -            -             COMPROMISED*   -            -
COMPROMISED*    -         -          -            -             -              COMPROMISED  -
DESTROYED       -         -          -            DESTROYED!    -              -            -
DESTROYED!      -         -          -            -             -              -            -
";

/// How messages name the requested events, in the order of the columns.
const WORDS: [&str; 6] =
    ["activate", "suspend", "deactivate", "mark as compromised", "schedule destruction", "restore"];
const EVENTS: [Event; 6] =
    [Event::Activate, Event::Suspend, Event::Deactivate, Event::Compromise, Event::Destroy(LONG), Event::Restore];
const EXPIRE: usize = 6;

/// A state's name and what each event makes of it.
fn rows() -> Vec<(&'static str, Vec<&'static str>)> {
    let rows = TABLE.trim_start_matches('\n').lines().skip(1).map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap(), words.collect())
    });
    let rows: Vec<(_, Vec<_>)> = rows.collect();
    assert!(rows.len() == 10 && rows.iter().all(|(_, cells)| cells.len() == 7));
    rows
}

/// How a fresh key gets into a state.
fn way(state: &str) -> &'static [Event] {
    use Event::{Compromise, Deactivate, Destroy, Suspend};
    match state {
        "PRE_ACTIVE" | "ACTIVE" => &[],
        "PRE_ACTIVE*" => &[Destroy(LONG)],
        "SUSPENDED" => &[Suspend],
        "DEACTIVATED" => &[Deactivate],
        "DEACTIVATED*" => &[Deactivate, Destroy(LONG)],
        "COMPROMISED" => &[Compromise],
        "COMPROMISED*" => &[Compromise, Destroy(LONG)],
        "DESTROYED" => &[Destroy(0)],
        "DESTROYED!" => &[Destroy(0), Compromise],
        other => panic!("{other}"),
    }
}

/// The state as the table names it.
fn named(version: &KeyVersion) -> String {
    let compromised = version.compromised_time.is_some();
    let (destroyed, ending) = (version.state() == KeyState::Destroyed, version.destroy_time.is_some());
    assert_eq!(version.destroyed_time.is_some(), destroyed, "{version:?}");
    assert_eq!(compromised && !destroyed, version.state() == KeyState::Compromised, "{version:?}");
    assert!(!(ending && destroyed), "{version:?}");
    let mark = match (ending, destroyed && compromised) {
        (true, _) => "*",
        (_, true) => "!",
        _ => "",
    };
    format!("{}{mark}", version.state().as_str_name())
}

/// A version on its way, with a signature that it made while it could.
struct Walker<'p> {
    parties: &'p Parties,
    name: String,
    signature: Option<Vec<u8>>,
}

impl<'p> Walker<'p> {
    /// A fresh version in a state, which expires so many seconds from now if that is said.
    async fn new(parties: &'p Parties, id: &str, protection: Protection, state: &str, expires: Option<i64>) -> Self {
        let mut request = signer(&key(id), protection);
        request.activate_time = state.starts_with("PRE_ACTIVE").then(|| from_now(2 * LONG));
        let made = make(&parties.officer, request).await;
        let mut walker = Self { parties, name: version(&made.name, 1), signature: None };
        if !state.starts_with("PRE_ACTIVE") {
            walker.signature = Some(parties.sign(&walker.name, b"m").await.unwrap().signature);
        }
        if let Some(seconds) = expires {
            walker.expire(seconds, made).await;
        }
        for event in way(state) {
            parties.cause(*event, &walker.name).await.unwrap();
            if *event == Event::Destroy(0) {
                parties.until_state(&walker.name, KeyState::Destroyed).await;
            }
        }
        walker.is(state).await;
        walker
    }

    async fn expire(&self, seconds: i64, key: Key) {
        let dated = KeyVersion { expire_time: Some(from_now(seconds)), ..key.versions[0].clone() };
        let key = Key { name: key.name, versions: vec![dated], ..Key::default() };
        let mut paths = vec!["versions.expire_time"];
        // An expiry comes after the activation.
        if self.parties.version(&self.name).await.activate_time.is_some() {
            paths.push("versions.activate_time");
        }
        let mut key = key;
        key.versions[0].activate_time = None;
        self.parties.update(key, &paths).await.unwrap();
    }

    /// It is where it should be, and does what it should: sign exactly when ACTIVE, verify always.
    async fn is(&self, state: &str) {
        let parties = self.parties;
        let found = parties.version(&self.name).await;
        assert_eq!(named(&found), state, "{}", self.name);
        let signed = parties.sign(&self.name, b"n").await;
        match state {
            "ACTIVE" => drop(signed.unwrap_or_else(|error| panic!("{}: {error}", self.name))),
            _ => {
                let message = refused(signed, reasons::WRONG_STATE);
                assert!(message.contains(state.trim_end_matches(['*', '!'])), "{message}");
            }
        }
        let public = GetPublicKeyRequest { name: self.name.clone() };
        let public = call(parties.peer.signing().get_public_key(public)).await.unwrap();
        assert_eq!((public.state(), &public.der), (found.state(), &found.public_key), "{}", self.name);
        if let Some(signature) = &self.signature {
            assert!(parties.verifies(&self.name, b"m", signature).await, "{} in {state}", self.name);
            assert!(!parties.verifies(&self.name, b"other", signature).await);
        }
    }

    /// All events that the state does not allow, each refused, naming those that it allows, and changing nothing.
    async fn refuses(&self, state: &str, cells: &[&str]) {
        let before = self.parties.version(&self.name).await;
        for at in (0..EVENTS.len()).filter(|at| cells[*at] == "-") {
            let message = refused(self.parties.cause(EVENTS[at], &self.name).await, reasons::WRONG_STATE);
            let (_, possible) = message.split_once("possible").unwrap();
            for (word, cell) in WORDS.iter().zip(cells) {
                assert_eq!(possible.contains(&format!("`{word}`")), *cell != "-", "{state}, {}: {message}", WORDS[at]);
            }
        }
        assert_eq!(self.parties.version(&self.name).await, before, "{state}");
    }
}

/// One row of the table: what is refused, then each transition with a version of its own. What became of them.
async fn row(parties: &Parties, protection: Protection, state: &str, cells: &[&str]) -> Vec<String> {
    let kind = protection.as_str_name().to_lowercase();
    let tag = state.to_lowercase().replace('*', "-ending").replace('!', "-marked").replace('_', "-");
    let walker = Walker::new(parties, &format!("{kind}-{tag}"), protection, state, None).await;
    walker.refuses(state, cells).await;
    let mut names = vec![walker.name];
    for (at, cell) in cells.iter().enumerate().take(EXPIRE).filter(|(_, cell)| **cell != "-") {
        let id = format!("{kind}-{tag}-{at}");
        let mut walker = Walker::new(parties, &id, protection, state, None).await;
        let answer = parties.cause(EVENTS[at], &walker.name).await.unwrap();
        assert_eq!(named(&answer.versions[0]), *cell, "{state}, {}", WORDS[at]);
        if *cell == "ACTIVE" {
            walker.signature = Some(parties.sign(&walker.name, b"m").await.unwrap().signature);
        }
        walker.is(cell).await;
        names.push(walker.name);
    }
    names
}

/// The events that only the clock causes: expiry from each state, and destruction from each that waits for it.
async fn timed(parties: &Parties, protection: Protection, state: &str, cells: &[&str]) -> Vec<String> {
    let kind = protection.as_str_name().to_lowercase();
    let tag = state.to_lowercase().replace('*', "-ending").replace('_', "-");
    let id = format!("{kind}-{tag}-expires");
    let walker = Walker::new(parties, &id, protection, state, Some(15)).await;
    let expired = match cells[EXPIRE] {
        "-" => state,
        after => after,
    };
    let expire_time = parties.version(&walker.name).await.expire_time.unwrap();
    while from_now(-2).seconds < expire_time.seconds {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    if expired != state {
        let key = walker.name.split_once("/versions/").unwrap().0;
        parties.until(key, "it expires", |key| named(&key.versions[0]) == expired).await;
    }
    walker.is(expired).await;
    if !state.ends_with('*') {
        return vec![walker.name];
    }
    // The same end sooner: called off, and asked for once more.
    parties.cause(Event::Restore, &walker.name).await.unwrap();
    parties.cause(Event::Destroy(0), &walker.name).await.unwrap();
    parties.until_state(&walker.name, KeyState::Destroyed).await;
    walker.is(if state.starts_with("COMPROMISED") { "DESTROYED!" } else { "DESTROYED" }).await;
    vec![walker.name]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_and_event_with_both_protections() {
    let mut deployment = Deployment::start();
    let parties = Parties::of(&deployment).await;
    let rows = rows();
    let both = [Protection::Token, Protection::Enclave];
    let requested = both.iter().flat_map(|kind| rows.iter().map(|(state, cells)| row(&parties, *kind, state, cells)));
    let living = rows.iter().filter(|(state, _)| !state.starts_with("DESTROYED"));
    let living: Vec<_> = living.collect();
    let clock = both.iter().flat_map(|kind| living.iter().map(|(state, cells)| timed(&parties, *kind, state, cells)));
    let (requested, clock) = tokio::join!(join_all(requested), join_all(clock));
    let names: Vec<String> = requested.into_iter().chain(clock).flatten().collect();
    assert_eq!(names.len(), 2 * (10 + 20 + 8));

    let states = |parties: Parties, names: Vec<String>| async move {
        join_all(names.iter().map(|name| parties.version(name))).await
    };
    let before = states(parties, names.clone()).await;
    assert_eq!(deployment.stop(), Some(0));
    deployment.serve();
    assert_eq!(states(Parties::of(&deployment).await, names.clone()).await, before);
    deployment.kill();
    deployment.serve();
    let parties = Parties::of(&deployment).await;
    assert_eq!(states(Parties::of(&deployment).await, names.clone()).await, before);
    for version in before {
        let signed = parties.sign(&version.name, b"n").await;
        assert_eq!(signed.is_ok(), version.state() == KeyState::Active, "{} {signed:?}", version.name);
    }
    expect_code(&deployment.verify_log(), 0);
}
