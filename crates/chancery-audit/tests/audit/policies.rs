//! Witness policies: what they say, and how they are refused.

use chancery_audit::checkpoint::WitnessPolicy;

use crate::cosignatures::{WITNESSES, policy};

/// Whether the quorum holds with these of the three.
fn reached(quorum: &str, cosigned: [u8; 3]) -> bool {
    policy(quorum).is_reached(&cosigned.map(|one| one == 1))
}

#[test]
fn groups_nest_and_thresholds_hold() {
    for (quorum, yes, no, least) in [
        ("quorum none\n", [0, 0, 0], None, 0),
        ("quorum org2\n", [0, 1, 0], Some([1, 0, 1]), 1),
        ("group g any org1 org2\nquorum g\n", [0, 1, 0], Some([0, 0, 1]), 1),
        ("group g all org1 org2 org3\nquorum g\n", [1, 1, 1], Some([1, 1, 0]), 3),
        ("group g 2 org1 org2 org3\n\tquorum   g  \n# end\n", [1, 0, 1], Some([0, 0, 1]), 2),
        ("group a any org1 org2\ngroup b all a org3\nquorum b", [0, 1, 1], Some([1, 1, 0]), 2),
    ] {
        assert!(reached(quorum, yes), "{quorum}");
        assert!(no.is_none_or(|no| !reached(quorum, no)), "{quorum}");
        assert_eq!(policy(quorum).least(), least, "{quorum}");
    }
    // Fewer places than witnesses count as absent.
    assert!(!policy("quorum org3\n").is_reached(&[true]));
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let [one, two] = [0, 1].map(|at| format!("witness org{} {}\n", at + 1, WITNESSES[at].3));
    let bad = |text: String, expected: &str| {
        let error = WitnessPolicy::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}\n{error}");
    };
    bad(String::new(), "line 2: there is no `quorum` line");
    bad(one.clone(), "line 3: there is no `quorum` line");
    bad(format!("{one}quorum org1\nquorum org1\n"), "line 3: there is a `quorum` line above");
    bad(format!("{one}quorum org2\n"), "line 2: \"org2\" was not defined");
    bad(format!("{one}{one}quorum org1\n"), "line 2: another witness above has the same key");
    bad(format!("{one}{}quorum org1\n", two.replace("witness org2", "witness org1")), "line 2: the name \"org1\"");
    bad(format!("{one}group org1 any org1\n"), "line 2: the name \"org1\"");
    bad(format!("{one}group g any org2\n"), "line 2: \"org2\" was not defined");
    bad(format!("{one}group g any g\n"), "line 2: \"g\" was not defined");
    bad(format!("{one}group g any org1 org1\n"), "line 2: \"org1\" is a member");
    bad(format!("{one}{two}group g any org1\ngroup h any org1 org2\n"), "line 4: \"org1\" is a member");
    for least in ["0", "2", "01", "+1", "-1", "most", "99999999999999999999"] {
        bad(format!("{one}group g {least} org1\n"), &format!("line 2: the group needs \"{least}\""));
    }
    bad(format!("{one}group none any org1\n"), "line 2: \"none\" can't be a name");
    bad(format!("{one}group g any none\n"), "line 2: \"none\" was not defined");
    bad(format!("{one}group g any\n"), "line 2: the line must be `group");
    bad("witness org1\n".into(), "line 1: the line must be `witness NAME VKEY`");
    bad(format!("{} https://org1.example\n", one.trim_end()), "line 1: the line must be `witness NAME VKEY`");
    bad("witness org1 org1+00000000+AAAA\n".into(), "line 1: the witness's key");
    bad(format!("log {}\n", crate::sample::key()), "line 1: \"log\" is not understood");
    bad("quorum none\r\n".into(), "line 1: it has a control character");
    bad(format!("{}quorum none\n", " \n".repeat(40_000)), "line 1: at most");
}
