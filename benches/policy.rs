//! What a decision costs in the policy layer: 1,000 own policies in 100 organizations beside the shipped base set.
//!
//! **Invariants**: every decision is [`Access::authorize`]'s, as the service asks it, and a permit; what is measured as
//! cold was evaluated, for one certificate asks about more keys in turn than permits are remembered.
//!
//! **Not here**: what a request costs besides (`service`). What the figures mean: docs/performance.md.
#![forbid(unsafe_code)]

#[path = "service/machine.rs"]
mod machine;

use chancery::{
    access::{Access, Caller, Peer, Target},
    directory::LoggedStates,
    model::{
        Action, Algorithm, Check, Group, Key, KeyName, KeyOrVersionName, KeyState, KeyVersion, NamePattern,
        Organization, OrganizationName, PrincipalName, Protection, Purpose, Registration, Role, TrustAnchor,
    },
    policy::{Context, OrganizationSet, PolicySet},
    store::{Contents, Row},
};
use chancery_audit::record::{Genesis, Record};
use clap::Parser;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    error::Error,
    hint::black_box,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Any failure ends the benchmark, so that its text is all that matters.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const ORGANIZATIONS: usize = 100;
/// Of the one whose member asks: four times the permits that are remembered of one certificate.
const KEYS: usize = 1024;

/// What a decision of the policy layer costs
#[derive(Parser)]
struct Arguments {
    /// Rounds; each measures everything once
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// How long each figure is measured in a round, in milliseconds
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    millis: u64,
    /// Given by `cargo bench`
    #[arg(long)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench {
        // `cargo test --all-targets` runs this program too.
        println!("nothing is measured without --bench: run `make bench`");
        return ExitCode::SUCCESS;
    }
    match run(arguments.rounds, Duration::from_millis(arguments.millis)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(rounds: u32, length: Duration) -> Result<()> {
    println!("{}\ncommit {}", machine::Machine::this(), machine::commit());
    let mut parts = Parts::new()?;
    let (mut warm, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        // Nothing that is measured is a first time.
        parts.warm(length / 5)?;
        warm.push(parts.warm(length)?);
        cold.push(parts.cold(length)?);
    }
    println!("{:56}{:>12}{:>12}{:>12}", "", "min", "median", "max");
    print("P8: decision, remembered", warm, 1.0, "ns");
    print("P8: decision, evaluated", cold, 1e3, "µs");
    Ok(())
}

/// A line of the table, of nanoseconds.
fn print(name: &str, mut runs: Vec<f64>, unit: f64, unit_name: &str) {
    runs.sort_by(f64::total_cmp);
    let median = (runs[(runs.len() - 1) / 2] + runs[runs.len() / 2]) / 2.0;
    let [min, median, max] = [runs[0], median, runs[runs.len() - 1]].map(|nanos| nanos / unit);
    println!("{name:56}{min:>12.1}{median:>12.1}{max:>12.1} {unit_name}");
}

/// A deployment without anything around it, and one who asks.
struct Parts {
    access: Access,
    peer: Arc<Peer>,
    keys: Vec<KeyName>,
    /// The key whose turn it is.
    next: usize,
}

impl Parts {
    fn new() -> Result<Self> {
        let organizations = (0..ORGANIZATIONS).map(|number| OrganizationName::from_id(&format!("org{number}")));
        let organizations = organizations.collect::<std::result::Result<Vec<_>, _>>()?;
        let home = &organizations[ORGANIZATIONS / 2];
        let member = home.principal("peer0")?;
        let keys = (0..KEYS).map(|number| home.key(&format!("key{number}")));
        let keys = keys.collect::<std::result::Result<Vec<_>, _>>()?;

        let (registered, chain) = registered(&member)?;
        let public = KeyPair::generate()?.subject_public_key_info();
        let mut rows = organizations.iter().map(|name| Row::Organization(Organization::new(name.clone(), vec![], 1)));
        let mut rows = rows.by_ref().chain(registered).collect::<Vec<_>>();
        let group = Group { organization: home.clone(), id: "signers".into(), members: vec![member.clone()] };
        rows.push(Row::Group(group));
        rows.extend(keys.iter().flat_map(|name| key(name, &member, &public)));
        let mut states = LoggedStates::default();
        states.add(&Record {
            genesis: Some(Genesis { deployment: "bench".into(), ..Genesis::default() }),
            states: rows.iter().map(Row::state).collect(),
            ..Record::default()
        });
        let (directory, _) = states.reconcile(Contents { deployment: "bench".into(), ..Contents::default() })?;

        let base = PolicySet::shipped().iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
        let access = Access::new(Arc::new(directory), PolicySet::from_files(base)?)?;
        for organization in organizations {
            let text = own_policies(&organization);
            access.set_organization(OrganizationSet::parse(organization, text)?);
        }
        let own = access.policies().organizations().map(|set| set.count()).sum::<usize>();
        println!(
            "{own} own policies of {} organizations, {} in the base set\n",
            access.policies().organizations().count(),
            access.policies().base().count()
        );
        let peer = Arc::new(Peer::new(vec![chain], ([127, 0, 0, 1], 1).into()));
        Ok(Self { access, peer, keys, next: 0 })
    }

    fn decide(&self, caller: &Caller, key: &KeyName) -> Result<()> {
        let context = Context::new().text("input", "digest").text("hash", "sha256").number("size", 32);
        let grant =
            self.access.authorize(caller, Action::Sign, Target::Key(KeyOrVersionName::Key(key.clone())), context);
        drop(black_box(grant.map_err(|denial| format!("denied by {:?}", denial.policy_ids()))?));
        Ok(())
    }

    /// Nanoseconds for the same question again.
    fn warm(&mut self, length: Duration) -> Result<f64> {
        let caller = self.access.identify(&self.peer)?;
        self.decide(&caller, &self.keys[0])?;
        measure(length, || self.decide(&caller, &self.keys[0]))
    }

    /// Nanoseconds for one that was not asked since its permit was forgotten.
    fn cold(&mut self, length: Duration) -> Result<f64> {
        let caller = self.access.identify(&self.peer)?;
        measure(length, || {
            self.next = (self.next + 1) % KEYS;
            self.decide(&caller, &self.keys[self.next])
        })
    }
}

/// Nanoseconds that one takes.
fn measure(length: Duration, mut one: impl FnMut() -> Result<()>) -> Result<f64> {
    let (begin, mut count) = (Instant::now(), 0_u32);
    loop {
        for _ in 0..100 {
            one()?;
        }
        count += 100;
        let elapsed = begin.elapsed();
        if elapsed >= length {
            return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(count));
        }
    }
}

/// A member with its authority and its certificate.
fn registered(member: &PrincipalName) -> Result<([Row; 2], CertificateDer<'static>)> {
    let parameters = |name: &str| -> Result<CertificateParams> {
        let mut parameters = CertificateParams::new(Vec::new())?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        Ok(parameters)
    };
    let mut authority = parameters("ca")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuing = KeyPair::generate()?;
    let anchor = TrustAnchor {
        organization: member.organization().clone(),
        certificate: authority.self_signed(&issuing)?.der().to_vec(),
        patterns: vec![NamePattern { role: Role::Peer, pattern: "*".into() }],
        removed: false,
    };
    let mut certified = parameters(member.id())?;
    certified.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let own = KeyPair::generate()?;
    let certificate = certified.signed_by(&own, &Issuer::new(authority, issuing))?;
    let public_keys_sha256 = vec![Sha256::digest(own.subject_public_key_info()).into()];
    let registration = Registration { name: member.clone(), role: Role::Peer, public_keys_sha256 };
    Ok(([Row::Anchor(anchor), Row::Registration(registration)], certificate.der().clone()))
}

/// A signing key with labels, and its version.
fn key(name: &KeyName, owner: &PrincipalName, public: &[u8]) -> [Row; 2] {
    let labels = [("env", "production"), ("channel", "assets")].map(|(label, value)| (label.into(), value.into()));
    let key = Key {
        name: name.clone(),
        owner: owner.clone(),
        purpose: Purpose::Sign,
        algorithm: Algorithm::EcP256,
        protection: Protection::Enclave,
        check: Check::Never,
        labels: BTreeMap::from(labels),
        primary_version: 1,
        create_time: 1,
        rotation: None,
        next_rotation: None,
        overlap: None,
        pool_size: 0,
    };
    [Row::Key(key), Row::KeyVersion(KeyVersion::new(name.version(1), KeyState::Active, public.to_vec(), 1))]
}

/// Ten policies, such as officers write: eight are asked of a signature, none of them reads its circumstances.
fn own_policies(organization: &OrganizationName) -> String {
    let environments = ["test", "staging", "development", "drill"].map(|environment| {
        format!(
            r#"@id("no-{environment}-keys")
forbid (principal, action == Chancery::Action::"Sign", resource)
when {{ resource.hasTag("env") && resource.getTag("env") == "{environment}" }};
"#
        )
    });
    let rest = format!(
        r#"@id("signers-sign")
permit (
  principal in Chancery::Group::"{organization}/groups/signers",
  action == Chancery::Action::"Sign",
  resource
)
when {{
  resource.hasTag("channel") && resource.getTag("channel") == "assets" &&
  resource has owner && resource.owner == principal
}};
@id("only-signers-sign-assets")
forbid (principal, action == Chancery::Action::"Sign", resource)
when {{ resource.hasTag("channel") && resource.getTag("channel") == "assets" }}
unless {{ principal in Chancery::Group::"{organization}/groups/signers" }};
@id("frozen-members")
forbid (principal in Chancery::Group::"{organization}/groups/frozen", action, resource);
@id("retired-peer")
forbid (principal == Chancery::Principal::"{organization}/principals/peer9", action, resource);
@id("signers-see")
permit (
  principal in Chancery::Group::"{organization}/groups/signers",
  action in [Chancery::Action::"GetKey", Chancery::Action::"GetPublicKey"],
  resource
);
@id("no-wrapping")
forbid (principal, action == Chancery::Action::"WrapKey", resource);
"#
    );
    environments.concat() + &rest
}
