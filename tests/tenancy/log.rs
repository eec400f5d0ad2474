//! Nobody changes the log: the API has no method for it, so that no role could be given one.

use crate::wire::Api;

#[test]
fn no_method_changes_the_log_or_brings_a_record() {
    let api = Api::read();
    let audit = api.methods.iter().filter_map(|method| method.path.strip_prefix("/chancery.v1.AuditService/"));
    let reads = ["ListRecords", "TailRecords", "GetCheckpoint", "GetInclusionProof", "GetConsistencyProof"];
    assert_eq!(audit.collect::<Vec<_>>(), reads, "reads, and nothing else");
    for method in &api.methods {
        let types = api.types_of(method);
        assert!(!types.iter().any(|name| name.starts_with(".chancery.audit.")), "{}: {types:?}", method.path);
        // Elsewhere, too, no method is about records or the log.
        let (_, name) = method.path.rsplit_once('/').unwrap();
        let about_the_log = ["Record", "Log", "Audit", "Checkpoint"].iter().any(|word| name.contains(word));
        assert!(!about_the_log || method.path.contains("AuditService"), "{}", method.path);
    }
    // A record can be told from what is looked at.
    let names = api.methods.iter().flat_map(|method| api.types_of(method)).collect::<Vec<_>>();
    assert!(names.iter().any(|name| name == ".chancery.v1.Key"), "{names:?}");
}
