//! With a stolen node certificate: a key that the node does not own can't be used, changed, ended, replaced or taken
//! out, and nothing of the organization is read or changed.

use crate::{
    shared::{ORG1, call, client, creation, deployment, id, key, make, sha256, sign, signing},
    wire::{Api, ask},
};
use chancery_api::v1::{
    Algorithm, ApproveOperationRequest, AttestKeyVersionRequest, BackUpKeysRequest, BindCertificateRequest,
    CancelApprovalRequest, CertificateProfile, CopyObjectRequest, CreateKeyRequest, DeleteCertificateObjectRequest,
    DeleteObjectRequest, GetKeyRequest, GetPoliciesRequest, ImportKeyRequest, IssueCertificateRequest, Key,
    ListApprovalsRequest, ListKeysRequest, ListObjectsRequest, ListPrincipalsRequest, ListRecordsRequest, Protection,
    Purpose, RestoreBackupRequest, RestoreHeader, ScheduleKeyVersionDestructionRequest, SuspendPrincipalRequest,
    TailRecordsRequest, UpdateCertificateObjectRequest, UpdateKeyRequest, UpdateObjectRequest,
    UpdateOrganizationRequest, VerifyRequest, WrapKeyRequest, restore_backup_request::Part, sign_request::Input,
    sign_stream_response::Result as Answer, verify_request,
};
use chancery_client::{Client, ClientError, Code};
use futures_util::{StreamExt, stream};
use prost_types::FieldMask;

/// Methods whose requests, made of fields of all kinds, are refused or answered without a decision about a key.
const BY_HAND: [&str; 22] = [
    "ListObjects",
    "UpdateObject",
    "CopyObject",
    "DeleteObject",
    "RenewSessionObjects",
    "CreateCertificateObject",
    "UpdateCertificateObject",
    "DeleteCertificateObject",
    "CreateKey",
    "ScheduleKeyVersionDestruction",
    "ImportKey",
    "RestoreBackup",
    "Sign",
    "SignStream",
    "Verify",
    "GenerateRandom",
    "IssueCertificate",
    "ListRecords",
    "TailRecords",
    "CreateOrganization",
    "UpdateOrganization",
    "SuspendPrincipal",
];

/// A key of peer0 for each purpose; only the first can sign.
async fn victims() -> Vec<String> {
    let officer = client("org1-security").await;
    let mut made = Vec::new();
    for (algorithm, purpose) in [
        (Algorithm::EcP256, Purpose::Sign),
        (Algorithm::EcP256, Purpose::Certify),
        (Algorithm::EcP256, Purpose::Agree),
        (Algorithm::Aes256, Purpose::Encrypt),
        (Algorithm::HmacSha256, Purpose::Mac),
        (Algorithm::Aes256, Purpose::Wrap),
    ] {
        let name = key(&format!("victim-{}", purpose.as_str_name().to_lowercase().replace('_', "-")));
        let mut request = creation(&name, "peer0", algorithm);
        let key = request.key.as_mut().unwrap();
        (key.purpose, key.protection) = (purpose.into(), Protection::Enclave.into());
        make(&officer, request).await;
        made.push(name);
    }
    made
}

async fn shown(names: &[String]) -> Vec<Key> {
    let officer = client("org1-security").await;
    let mut keys = Vec::new();
    for name in names {
        keys.push(call(officer.keys().get_key(GetKeyRequest { name: name.clone() })).await.unwrap());
    }
    keys
}

#[track_caller]
fn denied<T>(what: &str, answer: Result<T, ClientError>) {
    let error = answer.err().unwrap_or_else(|| panic!("{what} was answered"));
    assert_eq!((error.code, error.reason.as_deref()), (Code::PermissionDenied, Some("DENIED")), "{what}: {error}");
}

/// The same through PKCS#11: the key's objects are not seen, and can't be renamed, copied or dropped.
async fn sound_requests_for_objects(thief: &Client, name: &str) {
    let mut objects = thief.objects();
    let listed = call(objects.list_objects(ListObjectsRequest { parent: ORG1.into(), ..Default::default() })).await;
    let listed = listed.unwrap().objects;
    assert!(listed.iter().all(|object| !object.version.starts_with(&format!("{name}/"))), "{listed:?}");
    for half in ["private", "public", "secret"] {
        let target = format!("{name}/versions/1/objects/{half}");
        let rename =
            UpdateObjectRequest { name: target.clone(), id: Some(vec![1]), request_id: id(), ..Default::default() };
        denied("UpdateObject", call(objects.update_object(rename)).await);
        let copy = CopyObjectRequest { name: target.clone(), request_id: id(), ..Default::default() };
        denied("CopyObject", call(objects.copy_object(copy)).await);
        denied(
            "DeleteObject",
            call(objects.delete_object(DeleteObjectRequest { name: target, request_id: id() })).await,
        );
    }
    let certificate = format!("{ORG1}/principals/peer0/certificates/{}", "0".repeat(32));
    let rename = UpdateCertificateObjectRequest { name: certificate.clone(), request_id: id(), ..Default::default() };
    let error = call(objects.update_certificate_object(rename)).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound, "{error}");
    let drop = DeleteCertificateObjectRequest { name: certificate, request_id: id() };
    let error = call(objects.delete_certificate_object(drop)).await.unwrap_err();
    assert_eq!(error.code, Code::NotFound, "{error}");
}

/// Requests that are sound in all but who makes them.
async fn sound_requests(thief: &Client, own: &str, name: &str) {
    let version = format!("{name}/versions/1");
    let (mut keys, mut admin) = (thief.keys(), thief.admin());
    let changed = Key {
        name: name.into(),
        labels: [("team".to_owned(), "thieves".to_owned())].into(),
        overlap: Some(prost_types::Duration { seconds: 86_400, nanos: 0 }),
        ..Key::default()
    };
    for path in ["labels", "overlap", "check"] {
        let update_mask = Some(FieldMask { paths: vec![path.into()] });
        let request = UpdateKeyRequest { key: Some(changed.clone()), update_mask, request_id: id() };
        denied(path, call(keys.update_key(request)).await);
    }
    let Input::Digest(digest) = sha256(b"x") else { unreachable!() };
    let verify = VerifyRequest {
        name: name.into(),
        input: Some(verify_request::Input::Digest(digest)),
        signature: vec![0; 70],
        ..VerifyRequest::default()
    };
    denied("Verify", call(thief.signing().verify(verify)).await);
    denied("Sign", sign(thief, signing(name, b"x")).await);
    let mut streamed = thief.signing().sign_stream(stream::iter([signing(name, b"x")])).await.unwrap().into_inner();
    let Some(Answer::Error(error)) = streamed.next().await.unwrap().unwrap().result else { panic!("was answered") };
    denied::<()>("SignStream", Err(ClientError::from(error)));
    let issue = IssueCertificateRequest {
        issuer: name.into(),
        certificate_signing_request: crate::strangers::foreign_request(),
        profile: CertificateProfile::Peer.into(),
        request_id: id(),
    };
    denied("IssueCertificate", call(thief.certificates().issue_certificate(issue)).await);
    let certificate = std::fs::read(deployment().client_dir("org1-orderer0").join("cert.pem")).unwrap();
    let bind = BindCertificateRequest { name: version.clone(), certificate, request_id: id() };
    denied("BindCertificate", call(thief.certificates().bind_certificate(bind)).await);
    let destroy = ScheduleKeyVersionDestructionRequest {
        name: version.clone(),
        request_id: id(),
        wait: Some(prost_types::Duration::default()),
        confirm: name.rsplit('/').next().unwrap().into(),
    };
    denied("destroy", call(keys.schedule_key_version_destruction(destroy)).await);
    let attest = AttestKeyVersionRequest { name: version, nonce: vec![7; 32] };
    denied("AttestKeyVersion", call(keys.attest_key_version(attest)).await);
    let of = creation(name, "peer0", Algorithm::EcP256);
    let CreateKeyRequest { parent, key_id, key, .. } = of.clone();
    denied("CreateKey", call(keys.create_key(of)).await);
    for owner in ["peer0", own] {
        let key = key.clone().map(|key| Key { owner: format!("{ORG1}/principals/{owner}"), ..key });
        let over = ImportKeyRequest {
            parent: parent.clone(),
            key_id: key_id.clone(),
            key,
            import_job: vec![1; 16],
            sealed_key: vec![2; 200],
            request_id: id(),
            version: 2,
        };
        denied("ImportKey", call(keys.import_key(over)).await);
    }
    let wrap = WrapKeyRequest { name: name.into(), plaintext: vec![3; 32], request_id: id() };
    denied("WrapKey", call(thief.crypto().wrap_key(wrap)).await);
    let back_up = BackUpKeysRequest { parent: ORG1.into(), threshold: 2, custodians: Vec::new(), request_id: id() };
    let header = RestoreHeader {
        parent: ORG1.into(),
        restore_job: vec![1; 16],
        shares: vec![vec![2; 100]],
        request_id: id(),
        without_log: true,
        ..RestoreHeader::default()
    };
    let parts = [Part::Header(header), Part::Chunk(vec![4; 100])].map(|part| RestoreBackupRequest { part: Some(part) });
    denied("RestoreBackup", call(keys.restore_backup(stream::iter(parts))).await);
    let mut answers = call(keys.back_up_keys(back_up)).await.unwrap();
    denied("BackUpKeys", answers.message().await.map_err(ClientError::from));

    denied("ListKeys", call(keys.list_keys(ListKeysRequest { parent: ORG1.into(), ..Default::default() })).await);
    let log = ListRecordsRequest { parent: ORG1.into(), key: name.into(), ..Default::default() };
    denied("ListRecords", call(thief.audit().list_records(log.clone())).await);
    let tail = TailRecordsRequest { filter: Some(log), from: Some(0) };
    denied("TailRecords", call(thief.audit().tail_records(tail)).await);
    let policies = GetPoliciesRequest { name: format!("{ORG1}/policies") };
    denied("GetPolicies", call(admin.get_policies(policies)).await);
    let members = ListPrincipalsRequest { parent: ORG1.into(), ..Default::default() };
    denied("ListPrincipals", call(admin.list_principals(members)).await);
    let suspend = SuspendPrincipalRequest {
        parent: ORG1.into(),
        principal: format!("{ORG1}/principals/peer0"),
        reason: "stolen".into(),
        request_id: id(),
        ..SuspendPrincipalRequest::default()
    };
    denied("SuspendPrincipal", call(admin.suspend_principal(suspend)).await);
    let update =
        UpdateOrganizationRequest { name: ORG1.into(), confirm: "org1".into(), request_id: id(), ..Default::default() };
    denied("UpdateOrganization", call(admin.update_organization(update)).await);
    let waiting = ListApprovalsRequest { parent: ORG1.into(), ..Default::default() };
    denied("ListApprovals", call(admin.list_approvals(waiting)).await);
    let approval = format!("{ORG1}/approvals/20200101t000000z-00000000");
    let approve = ApproveOperationRequest { name: approval.clone(), request_id: id() };
    denied("ApproveOperation", call(admin.approve_operation(approve)).await);
    let cancel = CancelApprovalRequest { name: approval, request_id: id() };
    denied("CancelApproval", call(admin.cancel_approval(cancel)).await);
}

#[tokio::test]
async fn a_stolen_node_certificate_reaches_no_key_but_its_own() {
    let names = victims().await;
    let before = shown(&names).await;
    let api = Api::read();
    let others = crate::copied::targets(&names[0]).await;
    // Another node, and an application: its own organization's.
    for thief in ["org1-orderer0", "org1-client"] {
        let client = client(thief).await;
        let versions = names.iter().map(|name| format!("{name}/versions/1"));
        let targets: Vec<_> = names.iter().cloned().chain(versions).chain(others.clone()).collect();
        let mut permitted = Vec::new();
        for method in api.methods.iter().filter(|method| method.names_a_target()) {
            let mut codes = Vec::new();
            for target in &targets {
                codes.push(ask(&client, method, api.request(method, target, None)).await.0);
            }
            if codes.contains(&Code::Ok) || !codes.contains(&Code::PermissionDenied) {
                codes.dedup();
                permitted.push((method.path.rsplit_once('/').unwrap().1, codes));
            }
        }
        let names_of: Vec<_> = permitted.iter().map(|(name, _)| *name).collect();
        // Random bytes are every member's; a stream answers each of its requests. The others come below, made by hand.
        assert_eq!(names_of, BY_HAND, "{thief}: {permitted:?}");
        for name in &names {
            sound_requests(&client, thief.trim_start_matches("org1-"), name).await;
            sound_requests_for_objects(&client, name).await;
        }
    }
    assert_eq!(shown(&names).await, before, "nothing of them changed");
    sign(&client("org1-peer0").await, signing(&names[0], b"x")).await.expect("its owner signs");
    crate::harness::expect_code(&deployment().verify_log(), 0);
}
