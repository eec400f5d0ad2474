//! Cosigned notes: against vectors made by Python's `cryptography`, from tlog-cosignature's words alone.

use chancery_audit::checkpoint::{
    Checkpoint, CheckpointError, Contradiction, KeyError, Verdict, WitnessKey, WitnessPolicy, WitnessSigner, with_line,
};
use chancery_audit::merkle::proof::{Nodes, consistency, root};
use chancery_audit::merkle::{Hash, leaf_hash, node_hash};

use crate::sample::{ORIGIN, key};

/// Name, seed's byte, time, vkey, line.
pub(crate) const WITNESSES: [(&str, u8, u64, &str, &str); 3] = [
    (
        "org1/witness",
        1,
        1_700_000_000,
        "org1/witness+9d982d75+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c",
        "— org1/witness nZgtdQAAAABlU/EAcguXnOIB+evCcPiDeivsnagm0wgZ13iEb1P6HaxYEHUHlWZh6NueEfDBIzAmkmv3MPmGOniwQxEuRUz4sA1mCA==\n",
    ),
    (
        "org2/witness",
        2,
        1_700_000_005,
        "org2/witness+0a169fa5+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU",
        "— org2/witness ChafpQAAAABlU/EFuidvThzmKx7banzPOeOeyOwkKshGFSnNumnWALBEeWu/GsKmibEl4bZMCSvJx/Iph7Wp3yQsBdW5/imPMt4CCw==\n",
    ),
    (
        "org3/witness",
        3,
        1_700_000_009,
        "org3/witness+39ffed57+BO1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR",
        "— org3/witness Of/tVwAAAABlU/EJG0Qwk4yZNYFaUM8FIGwK48H962uGzMHU8LvWBk02JZWv5c7LHPfrBpyDoTdZfI/RukoRao7BoPFrRihKQO22Cw==\n",
    ),
];

/// The log's note, signed by the sample's key.
pub(crate) const NOTE: &str = "audit.example.org/chancery-1\n42\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n\
    — audit.example.org/chancery-1 +/Pgdv2SlWMx6wBSAPRNuTmU4/Ib+/fHqq2wmV0CEOAKXaOALouq9lJWwgvB0/7XS6KCcomDdDpBgivOIk2pt22BPww=\n";

/// The note with the lines of these witnesses.
pub(crate) fn cosigned(by: &[usize]) -> String {
    by.iter().fold(NOTE.to_owned(), |note, witness| with_line(&note, WITNESSES[*witness].4))
}

pub(crate) fn policy(quorum: &str) -> WitnessPolicy {
    let lines = WITNESSES.map(|(name, _, _, vkey, _)| format!("witness {} {vkey}\n", &name[..4]));
    WitnessPolicy::parse(&format!("{}{quorum}", lines.concat())).unwrap()
}

fn checkpoint() -> Checkpoint {
    let root: Vec<u8> = (0..32).collect();
    Checkpoint { origin: ORIGIN.into(), size: 42, root: root.try_into().unwrap() }
}

#[test]
fn keys_and_signatures_are_those_of_another_implementation() {
    for (name, seed, time, vkey, line) in WITNESSES {
        let signer = WitnessSigner::from_seed(name, &[seed; 32]).unwrap();
        assert_eq!(signer.public().to_string(), vkey);
        assert_eq!(vkey.parse::<WitnessKey>().as_ref(), Ok(signer.public()));
        // Ed25519 is deterministic: the whole line is theirs.
        let made = signer.cosign(&checkpoint(), time);
        assert_eq!((made.time, made.line.as_str()), (time, line));
        assert_eq!(signer.public().find(&with_line(NOTE, line)), Ok(Some(made)));
        assert_eq!(signer.public().find(NOTE), Ok(None));
        let again = WitnessSigner::from_pkcs8(name, signer.to_pkcs8().unwrap().as_bytes()).unwrap();
        assert_eq!(again.public(), signer.public());
    }
    // `openssl pkey` and Python write this: an octet string within, and no public key.
    let der = hex::decode(format!("302e020100300506032b657004220420{}", "01".repeat(32))).unwrap();
    let signer = WitnessSigner::from_pkcs8(WITNESSES[0].0, &der).unwrap();
    assert_eq!(signer.public().to_string(), WITNESSES[0].3);
    assert_eq!(signer.to_pkcs8().unwrap().as_bytes(), der);
}

#[test]
fn a_policy_counts_who_cosigned() {
    let policy = policy("group members 2 org1 org2 org3\nquorum members\n");
    for (by, reached, verdict) in [
        (&[][..], false, "witnessed 0 of 3"),
        (&[1], false, "witnessed 1 of 3"),
        (&[2, 0], true, "witnessed 2 of 3"),
        (&[0, 1, 2], true, "witnessed 3 of 3"),
    ] {
        let found = policy.open_note(&key(), &cosigned(by)).unwrap();
        assert_eq!((found.reached, found.verdict().to_string().as_str()), (reached, verdict));
        assert_eq!(found.checkpoint, checkpoint());
        let times: Vec<_> = found.cosignatures.iter().map(|cosignature| cosignature.as_ref().map(|c| c.time)).collect();
        assert_eq!(times, [0, 1, 2].map(|witness| by.contains(&witness).then_some(WITNESSES[witness].2)));
    }
    assert_eq!(policy.least(), 2);
    assert_eq!(Verdict::Logged.to_string(), "logged");
}

#[test]
fn one_witness_counts_once_and_its_newest_word_is_taken() {
    let policy = policy("group members 2 org1 org2 org3\nquorum members\n");
    let signer = WitnessSigner::from_seed(WITNESSES[0].0, &[1; 32]).unwrap();
    let later = signer.cosign(&checkpoint(), 1_800_000_000);
    for note in [format!("{}{}", cosigned(&[0]), later.line), format!("{NOTE}{}{}", later.line, WITNESSES[0].4)] {
        let found = policy.open_note(&key(), &note).unwrap();
        assert!(!found.reached);
        assert_eq!(found.cosignatures[0], Some(later.clone()));
    }
}

/// Another log's note, another size or time, a flipped bit anywhere: nothing of it counts, and what names a witness
/// falsely spoils the note.
#[test]
fn changed_cosignatures_are_refused() {
    let policy = policy("quorum org1\n");
    assert!(policy.open_note(&key(), &cosigned(&[0])).unwrap().reached);
    // Without the log's own signature nothing is a checkpoint of it.
    let text = checkpoint().text();
    let only = format!("{text}\n{}", WITNESSES[0].4);
    assert!(matches!(policy.open_note(&key(), &only), Err(CheckpointError::NotSigned { .. })));
    let note = cosigned(&[0]);
    let bytes = note.as_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[at] ^= 1 << (at % 7);
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let counted = policy.open_note(&key(), &changed).is_ok_and(|found| found.reached);
        assert!(!counted, "byte {at}: {changed}");
    }
    // The signature of one time under another, and of one witness under another's name.
    let signer = WitnessSigner::from_seed(WITNESSES[0].0, &[1; 32]).unwrap();
    let line = signer.cosign(&Checkpoint { size: 43, ..checkpoint() }, 1).line;
    let found = policy.open_note(&key(), &format!("{NOTE}{line}"));
    assert_eq!(found, Err(CheckpointError::BadSignature { name: WITNESSES[0].0.into() }));
}

#[test]
fn keys_of_other_kinds_are_no_witnesses() {
    assert_eq!(key().to_string().parse::<WitnessKey>(), Err(KeyError::NotAWitness));
    let vkey = WITNESSES[0].3;
    assert!(vkey.parse::<chancery_audit::checkpoint::VerifierKey>().is_err());
    assert_eq!(vkey.replace("9d982d75", "9d982d76").parse::<WitnessKey>(), Err(KeyError::KeyId));
    assert!(vkey.replace("org1", "org2").parse::<WitnessKey>().is_err());
    // The identity point, of order 1.
    let mut weak = [0; 32];
    weak[0] = 1;
    assert_eq!(WitnessKey::new("org1", &weak), Err(KeyError::PublicKey));
}

/// Every node of the tree over some leaves.
struct Tree(Vec<Hash>);

impl Nodes for Tree {
    type Error = ();
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, ()> {
        if level == 0 {
            return Ok(self.0[index as usize]);
        }
        let (left, right) = (self.node(level - 1, 2 * index)?, self.node(level - 1, 2 * index + 1)?);
        Ok(node_hash(&left, &right))
    }
}

#[test]
fn what_does_not_extend_is_a_contradiction() {
    let leaves = |salt: u8| (0..20u8).map(|leaf| leaf_hash(&[salt, leaf])).collect::<Vec<_>>();
    let mut tree = Tree(leaves(0));
    let mut other = Tree(leaves(1));
    let at = |tree: &mut Tree, size| Checkpoint { origin: ORIGIN.into(), size, root: root(size, tree).unwrap() };
    let (older, newer) = (at(&mut tree, 9), at(&mut tree, 20));
    let proof = consistency(9, 20, &mut tree).unwrap();
    assert_eq!(newer.extends(&older, &proof), Ok(()));
    assert!(newer.needs_proof_from(&older));
    assert_eq!(older.extends(&older, &[]), Ok(()));
    assert!(!older.needs_proof_from(&older));
    assert_eq!(older.extends(&newer, &proof), Err(Contradiction::Shrunk { old: 20, new: 9 }));
    assert_eq!(at(&mut other, 9).extends(&older, &[]), Err(Contradiction::OtherRoot { size: 9 }));
    let forked = at(&mut other, 20).extends(&older, &consistency(9, 20, &mut other).unwrap());
    assert!(matches!(forked, Err(Contradiction::NotExtended { old: 9, new: 20, .. })));
    assert!(matches!(newer.extends(&older, &proof[1..]), Err(Contradiction::NotExtended { .. })));
}
