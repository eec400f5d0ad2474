//! Two copies of one deployment, each with the log's key, show different histories to different members.

use crate::{
    desk::{create, health, open, said, text, watched},
    harness::expect_code,
};
use chancery_audit::checkpoint::VerifierKey;

#[test]
fn a_witness_refuses_the_second_copy_and_keeps_both_notes() {
    let (mut deployment, witnesses) = watched();
    open(&deployment, &witnesses);
    expect_code(&create(&deployment, "before"), 0);
    deployment.stop();
    let mut other = deployment.copy();
    for copy in [&mut deployment, &mut other] {
        copy.serve();
    }
    // The first goes on with its witnesses.
    open(&deployment, &witnesses);
    expect_code(&create(&deployment, "only-here"), 0);

    // The second has as many records, and others.
    let refused = witnesses.once("org1", &other);
    expect_code(&refused, 1);
    let [evidence] = &witnesses.evidence("org1")[..] else { panic!("one directory of evidence") };
    assert!(said(&refused).contains(evidence.to_str().unwrap()), "{}", said(&refused));
    let key: VerifierKey = text(evidence, "audit.vkey").parse().unwrap();
    let [kept, shown] = ["kept.note", "shown.note"].map(|name| key.open_note(&text(evidence, name)).unwrap());
    assert!(shown.extends(&kept, &[]).is_err(), "{kept:?} {shown:?}");

    // It cosigns nothing more, the true copy included, until an operator has decided.
    let again = witnesses.once("org1", &deployment);
    expect_code(&again, 1);
    assert!(said(&again).contains("cosigns nothing more"), "{}", said(&again));
    std::fs::rename(evidence, witnesses.state("org1").with_extension("explained")).unwrap();
    witnesses.cosign("org1", &deployment);

    // The copy was shown what its own key signed elsewhere.
    assert_eq!(health(&other), "NOT_SERVING");
    let refused = create(&other, "in-the-copy");
    expect_code(&refused, 65);
    assert!(said(&refused).contains("LOG_ROLLED_BACK"), "{}", said(&refused));
    // And the first is served as before.
    assert_eq!(health(&deployment), "SERVING");
}
