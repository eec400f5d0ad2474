//! Loading, what is refused and why, errors of evaluation, and what a permit can't do.

use super::{
    AccessRequest, Context, Permit, Policies, PolicyError, PolicySet, Resource, source,
    tables::{ROWS, SHIPPED, shipped_files},
};
use chancery_model::{Action, OrganizationName, Principal};
use std::{fs, path::Path};

/// The shipped schema and one file of policies.
fn with(text: &str) -> Result<PolicySet, PolicyError> {
    PolicySet::from_files(vec![
        ("test.cedar".to_owned(), text.to_owned()),
        (source::SCHEMA_FILE.to_owned(), source::SCHEMA.to_owned()),
    ])
}

/// The message of the error that `text` is refused with.
fn refusal(text: &str) -> String {
    with(text).expect_err("is refused").to_string()
}

/// A signature that the shipped set permits.
fn sign() -> AccessRequest {
    let permitted = |request: &AccessRequest| SHIPPED.authorize(request.clone()).is_ok();
    let mut requests = ROWS.iter().map(|row| row.request.clone());
    requests.find(|request| request.action == Action::Sign && permitted(request)).unwrap()
}

/// The shipped set with one more policy.
fn shipped_and(text: &str) -> Policies {
    let mut files = shipped_files();
    files.push(("more.cedar".to_owned(), text.to_owned()));
    Policies::new(PolicySet::from_files(files).unwrap())
}

#[test]
fn a_forbid_that_cannot_be_evaluated_denies() {
    // It overflows for a size of 2 or more, which no validator sees. Cedar alone would skip it, and allow.
    let erring = r#"
        @id("erring-forbid")
        forbid (principal, action == Chancery::Action::"Sign", resource)
        when { context.size * 9223372036854775807 == 0 };"#;
    let denial = shipped_and(erring).authorize(sign()).unwrap_err();
    assert_eq!(denial.policy_ids(), ["erring-forbid"]);
    let [error] = denial.evaluation_errors() else { panic!("{:?}", denial.evaluation_errors()) };
    assert!(error.contains("erring-forbid") && error.contains("overflow"), "{error}");
}

#[test]
fn a_permit_that_cannot_be_evaluated_denies_though_another_permits() {
    let erring = r#"
        @id("erring-permit")
        permit (principal, action == Chancery::Action::"Sign", resource)
        when { context.size * 9223372036854775807 == 0 };"#;
    let denial = shipped_and(erring).authorize(sign()).unwrap_err();
    assert_eq!(denial.policy_ids(), ["erring-permit"]);
    // Of another action it is not asked.
    let other = AccessRequest { action: Action::GetKey, context: Context::new(), ..sign() };
    assert!(shipped_and(erring).authorize(other).is_ok());
}

#[test]
fn a_request_described_wrongly_is_denied() {
    let hash = |request: AccessRequest, value: &str| AccessRequest {
        context: request.context.clone().text("hash", value),
        ..request
    };
    let organization = OrganizationName::from_id("org1").unwrap();
    for (request, message) in [
        (AccessRequest { context: Context::new(), ..sign() }, "Sign needs context.input"),
        (AccessRequest { context: sign().context.text("more", ""), ..sign() }, "Sign has no context.more"),
        (AccessRequest { context: sign().context.text("size", "32"), ..sign() }, "context.size is not of the kind"),
        (AccessRequest { context: sign().context.flag("input", true), ..sign() }, "context.input is not of the kind"),
        (hash(sign(), "sha255"), "context.hash is not of the kind"),
        (AccessRequest { resource: Resource::Log { organization }, ..sign() }, "Sign is not asked on this kind"),
    ] {
        let denial = SHIPPED.authorize(request).unwrap_err();
        assert!(denial.evaluation_errors()[0].contains(message), "{:?}", denial.evaluation_errors());
        assert_eq!(denial.policy_ids(), [""; 0]);
    }
    assert!(SHIPPED.authorize(hash(sign(), "sha512")).is_ok());
}

#[test]
fn answers_carry_the_request_and_the_set() {
    let permit = SHIPPED.authorize(sign()).unwrap();
    assert_eq!(permit.request(), &sign());
    assert_eq!(permit.policy_set_hash(), &SHIPPED.base().hash());
    let stranger = Principal { name: "organizations/org2/principals/peer0".parse().unwrap(), ..sign().principal };
    let denial = SHIPPED.authorize(AccessRequest { principal: stranger.clone(), ..sign() }).unwrap_err();
    assert_eq!(denial.request().principal, stranger);
    assert_eq!(denial.policy_set_hash(), &SHIPPED.base().hash());
}

/// `Probe::<T>::IS_CLONE` is the inherent constant where `T: Clone`, else the trait's.
#[test]
fn a_permit_is_not_copied_or_conjured() {
    struct Probe<T>(std::marker::PhantomData<T>);
    trait Otherwise {
        const IS_CLONE: bool = false;
        const IS_DEFAULT: bool = false;
    }
    impl<T> Otherwise for Probe<T> {}
    #[allow(dead_code, reason = "used only for a permit that can be copied")]
    impl<T: Clone> Probe<T> {
        const IS_CLONE: bool = true;
    }
    #[allow(dead_code, reason = "used only for a permit that can be conjured")]
    impl<T: Default> Probe<T> {
        const IS_DEFAULT: bool = true;
    }
    const { assert!(Probe::<Context>::IS_CLONE && Probe::<Context>::IS_DEFAULT) };
    const { assert!(!Probe::<Permit>::IS_CLONE && !Probe::<Permit>::IS_DEFAULT) };
}

#[test]
fn refusals_say_where_and_what_was_meant() {
    let policy = |action: &str, condition: &str| {
        let head = format!("permit (principal, action == Chancery::Action::\"{action}\", resource)");
        format!("@id(\"a\")\n{head}\nwhen {{ {condition} }};")
    };
    for (text, expected) in [
        (policy("Sing", "true"), ["test.cedar:2:30: ", "did you mean `Chancery::Action::\"Sign\"`?"]),
        (policy("Sign", "context.sise > 1"), ["test.cedar:3:8: ", "did you mean `size`?"]),
        (policy("Sign", "resource.owner == principal"), ["test.cedar:3:8: ", "e has owner"]),
        (policy("Sign", "principal.role == Chancery::Role::\"pier\""), ["test.cedar:3:26: ", "\"pier\""]),
        (policy("Sign", "principal.role == \"peer\""), ["test.cedar:3:8: ", "String"]),
        (policy("Sign", "principal.organization.enrollingRoles.isEmpty()"), ["test.cedar:3:8: ", "level"]),
        (policy("Sign", "context.size > 1 && false"), ["test.cedar:1:1: ", "impossible"]),
        (policy("ListKeys", "resource is Chancery::Log"), ["test.cedar:1:1: ", "impossible"]),
        ("// é\n permit (principal action, resource);".to_owned(), ["test.cedar:2:20: ", "expected "]),
        ("permit (principal, action, resource);".to_owned(), ["test.cedar:1:1: ", "no @id"]),
        ("@id(\"A b\") permit (principal, action, resource);".to_owned(), ["test.cedar:1:1: ", "0-9 and '-'"]),
        (
            "@id(\"a\")\npermit (principal == ?principal, action, resource);".to_owned(),
            ["test.cedar:1:1: ", "templates"],
        ),
    ] {
        let message = refusal(&text);
        assert!(expected.iter().all(|part| message.contains(part)), "{text}\n{message}\nexpected {expected:?}");
    }
}

#[test]
fn an_id_names_one_policy() {
    let policy = "@id(\"a\")\npermit (principal, action, resource);\n";
    assert!(
        refusal(&policy.repeat(2)).contains("test.cedar:3:1: @id(\"a\") is used twice (the other is at test.cedar:1)")
    );
    let mut files = shipped_files();
    files.push(("z.cedar".to_owned(), "@id(\"node-sees-own-key\") permit (principal, action, resource);".to_owned()));
    let error = PolicySet::from_files(files).unwrap_err().to_string();
    assert!(error.contains("z.cedar:1:1") && error.contains("the other is at node.cedar:"), "{error}");
}

#[test]
fn everything_wrong_is_said_at_once() {
    let PolicyError::Invalid(findings) =
        with("permit (principal, action, resource);\n".repeat(3).as_str()).unwrap_err()
    else {
        panic!("another error")
    };
    assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_set_is_this_versions_schema_and_some_policies() {
    let shipped = shipped_files();
    let without = |name: &str| shipped.iter().filter(|(file, _)| file != name).cloned().collect::<Vec<_>>();
    let schema_only = vec![(source::SCHEMA_FILE.to_owned(), source::SCHEMA.to_owned())];
    assert!(matches!(PolicySet::from_files(schema_only), Err(PolicyError::Empty)));
    assert!(matches!(PolicySet::from_files(without(source::SCHEMA_FILE)), Err(PolicyError::MissingSchema)));
    let mut edited = shipped.clone();
    edited.iter_mut().find(|(name, _)| name == source::SCHEMA_FILE).unwrap().1.push('\n');
    assert!(matches!(PolicySet::from_files(edited), Err(PolicyError::SchemaMismatch)));
    let twice = [shipped.clone(), shipped.clone()].concat();
    assert!(matches!(PolicySet::from_files(twice), Err(PolicyError::DuplicateFile { .. })));
    for name in ["deny.cedar.bak", ".cedar", "other.cedarschema", "deny.cedar~", "deny.cedar.json"] {
        let mut files = shipped.clone();
        files.push((name.to_owned(), String::new()));
        assert!(matches!(PolicySet::from_files(files), Err(PolicyError::UnknownFile { .. })), "{name}");
    }
}

#[test]
fn the_directory_in_the_tree_is_what_is_shipped() {
    let set = PolicySet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies")).unwrap();
    assert_eq!(set.files(), shipped_files());
    assert_eq!(set.hash(), SHIPPED.base().hash());
    assert!(!format!("{set:?}").contains("permit ("));
}

#[test]
fn loading_uses_every_policy_file_or_none() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in PolicySet::shipped() {
        fs::write(directory.path().join(name), text).unwrap();
    }
    fs::write(directory.path().join("README.md"), "not policy").unwrap();
    fs::create_dir(directory.path().join("tables")).unwrap();
    assert_eq!(PolicySet::load(directory.path()).unwrap().hash(), SHIPPED.base().hash());
    fs::write(directory.path().join("deny.cedar.txt"), "forbid (principal, action, resource);").unwrap();
    let error = PolicySet::load(directory.path()).unwrap_err();
    assert!(error.to_string().contains("deny.cedar.txt"), "{error}");
    fs::remove_file(directory.path().join("deny.cedar.txt")).unwrap();
    fs::create_dir(directory.path().join("deny.cedar")).unwrap();
    assert!(matches!(PolicySet::load(directory.path()), Err(PolicyError::Unreadable { .. })));
    assert!(matches!(PolicySet::load(&directory.path().join("none")), Err(PolicyError::Unreadable { .. })));
}

#[test]
fn the_hash_tells_sets_apart() {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let hash = |files: &[(String, String)]| source::hash(files);
    assert_ne!(hash(&[file("a", "bc")]), hash(&[file("ab", "c")]));
    assert_ne!(hash(&[file("a", "b"), file("c", "d")]), hash(&[file("a", "bcd")]));
    // printf 'chancery policy set v1\n\0\0\0\0\0\0\0\1a\0\0\0\0\0\0\0\2bc' | openssl dgst -sha256
    let expected = "44930e46277331d7b8918f2f9a33be84433d16326ab86b985863f08c505082a5";
    let bytes = hash(&[file("a", "bc")]);
    assert_eq!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
}

/// A policy with this condition.
fn conditioned(condition: &str) -> String {
    format!("@id(\"deep\") permit (principal, action, resource) when {{ {condition} }};\n")
}

/// An officer's text must not end the service: a parser that recurses without bound overflows the stack.
#[test]
fn what_lies_too_deep_is_refused_before_it_is_parsed() {
    let times = |part: &str, count: usize| part.repeat(count);
    for condition in [
        format!("{}true{}", times("(", 100_000), times(")", 100_000)),
        times("(", 100_000),
        format!("{} has x", times("[", 100_000)),
        times("!", 100_000),
        format!("{}true", times("true && ", 50_000)),
        format!("{}true", times("true||", 50_000)),
        format!("1{} == 1", times(" + 1", 50_000)),
        format!("context{}", times(".a", 50_000)),
        format!("context{}", times("[\"a\"]", 50_000)),
        format!("{}true", times("if true then true else ", 20_000)),
        format!("true {}", times("} when { true ", 20_000)),
        // Nothing of it is hidden by strings or comments that are none.
        format!("\"\\\"\" == \"// \" && // \" \n {}true", times("(", 100_000)),
    ] {
        let refusal = refusal(&conditioned(&condition));
        assert!(refusal.contains("too deep"), "{}: {refusal}", &condition[..condition.len().min(60)]);
    }
}

#[test]
fn what_is_just_not_too_deep_is_parsed() {
    let deep = |brackets: usize| format!("{}context.size < 1{}", "(".repeat(brackets), ")".repeat(brackets));
    let size = "@id(\"deep\") permit (principal, action == Chancery::Action::\"Sign\", resource) when { ";
    let policy = |condition: &str| format!("{size}{condition} }};");
    let wide = |joints: usize| format!("context.size < 1{}", " || context.size < 1".repeat(joints));
    assert!(with(&policy(&deep(31))).is_ok() && with(&policy(&deep(32))).is_err());
    // Each takes two: `||` and `.`; the first and `when` one each.
    assert!(with(&policy(&wide(63))).is_ok() && with(&policy(&wide(64))).is_err());
    // Text is not structure, and the next policy begins anew.
    let text = format!("{}{}", policy(&format!("\"{}\" != \"\"", "([{.!&&".repeat(1_000))), "// ((((".repeat(1_000));
    let refused = with(&text).map(drop);
    assert!(!refused.is_err_and(|error| error.to_string().contains("too deep")));
    let many: String = (0..50).map(|n| policy(&wide(63)).replace("\"deep\"", &format!("\"deep-{n}\""))).collect();
    with(&many).unwrap();
}
