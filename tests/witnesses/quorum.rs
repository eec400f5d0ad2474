//! The gate: no key is used before enough witnesses cosigned the log of this run; and what verifiers make of it.

use crate::{
    desk::{Witnesses, create, demand, health, open, said, status, until, watched},
    harness::{Deployment, expect_code, program},
};
use std::process::{Command, Output};

#[test]
fn keys_are_used_only_once_both_organizations_cosigned_the_log_of_this_run() {
    let (mut deployment, witnesses) = watched();
    assert_eq!(health(&deployment), "NOT_SERVING");
    let refused = create(&deployment, "early");
    expect_code(&refused, 69);
    assert!(said(&refused).contains("WITNESSES_MISSING"), "{}", said(&refused));
    // Members read the log meanwhile.
    expect_code(&deployment.chancery("org1-auditor", &["audit", "list"]), 0);
    let shown = status(&deployment);
    assert_eq!(shown["witnessing"]["required"], 2);
    assert!(shown["witnessing"]["refused"].as_str().unwrap().contains("0 of at least 2 did, missing: org1, org2"));

    witnesses.cosign("org1", &deployment);
    let shown = status(&deployment);
    assert!(shown["witnessing"]["refused"].as_str().unwrap().contains("missing: org2"), "{shown}");
    assert!(shown["witnessing"]["witnesses"][0]["size"].as_u64().unwrap() > 0);
    expect_code(&create(&deployment, "early"), 69);
    // The same witness again is still one.
    witnesses.cosign("org1", &deployment);
    assert_eq!(health(&deployment), "NOT_SERVING");

    open(&deployment, &witnesses);
    expect_code(&create(&deployment, "in-time"), 0);
    assert_eq!(status(&deployment)["witnessing"]["refused"], "");

    // What they said of an earlier run says nothing of this one.
    deployment.stop();
    deployment.serve();
    assert_eq!(health(&deployment), "NOT_SERVING");
    expect_code(&create(&deployment, "again"), 69);
    open(&deployment, &witnesses);
    expect_code(&create(&deployment, "again"), 0);
    expect_code(&deployment.verify_log(), 0);
}

/// The index of org1's newest record.
fn newest(deployment: &Deployment) -> String {
    let output = deployment.chancery("org1-auditor", &["--output", "json", "audit", "list"]);
    let records: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    records.last().unwrap()["index"].to_string()
}

fn verify(arguments: &[&str], deployment: &Deployment) -> Output {
    let mut command = Command::new(program("chancery"));
    command.args(["--output", "json", "audit", "verify", "--key"]).arg(deployment.dir().join("audit.vkey"));
    command.args(arguments).output().unwrap()
}

/// Two of three are enough, and the third need not be there; a verifier who demands more is not satisfied.
#[test]
fn two_of_three_make_a_quorum_and_receipts_show_it() {
    let mut deployment = Deployment::start();
    let (witnesses, lines) = Witnesses::new(&["org1", "org2", "platform"]);
    let policy = format!("{lines}group members 2 org1 org2 platform\nquorum members\n");
    demand(&mut deployment, &policy);
    let (_one, _two) = (witnesses.run("org1", &deployment), witnesses.run("org2", &deployment));
    until("health", || health(&deployment) == "SERVING");
    expect_code(&create(&deployment, "peer0"), 0);

    let path = |name: &str| deployment.dir().join(name).to_str().unwrap().to_owned();
    let (receipt, cosigned) = (path("receipt"), path("cosigned"));
    let index = newest(&deployment);
    // They come to a checkpoint that covers it in their own time; the command waits for it.
    let proof = || {
        deployment.chancery("org1-auditor", &["audit", "proof", &index, "--out", &receipt, "--witnessed", &cosigned])
    };
    until("a cosigned checkpoint", || proof().status.success());

    let (good, all) = (path("witnesses.policy"), path("all.policy"));
    std::fs::write(&all, policy.replace("members 2", "members all")).unwrap();
    let found = verify(&["--receipt", &receipt, "--cosignatures", &cosigned, "--witnesses", &good], &deployment);
    expect_code(&found, 0);
    assert!(String::from_utf8_lossy(&found.stdout).contains(r#""verdict": "witnessed 2 of 3""#));
    let logged = verify(&["--receipt", &receipt], &deployment);
    assert!(String::from_utf8_lossy(&logged.stdout).contains(r#""verdict": "logged""#));
    let strict = verify(&["--receipt", &receipt, "--cosignatures", &cosigned, "--witnesses", &all], &deployment);
    expect_code(&strict, 1);
    assert!(said(&strict).contains("witnessed 2 of 3"), "{}", said(&strict));
    // Without the cosignatures, and with those of another checkpoint.
    expect_code(&verify(&["--receipt", &receipt, "--witnesses", &good], &deployment), 64);
    let older = path("older");
    std::fs::copy(&cosigned, &older).unwrap();
    expect_code(&create(&deployment, "peer1"), 0);
    let index = newest(&deployment);
    let proof = || {
        deployment.chancery("org1-auditor", &["audit", "proof", &index, "--out", &receipt, "--witnessed", &cosigned])
    };
    until("a newer cosigned checkpoint", || proof().status.success());
    let other = verify(&["--receipt", &receipt, "--cosignatures", &older, "--witnesses", &good], &deployment);
    expect_code(&other, 1);
    assert!(said(&other).contains("of another checkpoint"), "{}", said(&other));
}
