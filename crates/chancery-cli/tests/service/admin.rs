//! A registry that is as it was written down here, pages of two, and every change that was asked for.

use super::{Service, refuse};
use chancery_api::v1::{
    AddCosignatureRequest, AddCosignatureResponse, AddTrustAnchorRequest, Approval, ApproveOperationRequest,
    ApprovePrincipalKeyRequest, CancelApprovalRequest, CreateOrganizationRequest, ExplainDecisionRequest,
    ExplainDecisionResponse, GetKeyUsageRequest, GetOrganizationRequest, GetPoliciesRequest, GetTokenStatusRequest,
    Group, KeyUsage, LiftSuspensionRequest, Limit, ListApprovalsRequest, ListApprovalsResponse, ListGroupsRequest,
    ListGroupsResponse, ListLimitsRequest, ListLimitsResponse, ListOrganizationsRequest, ListOrganizationsResponse,
    ListPrincipalsRequest, ListPrincipalsResponse, ListSuspensionsRequest, ListSuspensionsResponse,
    ListTrustAnchorsRequest, ListTrustAnchorsResponse, NamePattern, Organization, Policies, Principal, PrincipalKey,
    RegisterPrincipalRequest, ReloadPoliciesRequest, ReloadPoliciesResponse, RemoveTrustAnchorRequest,
    RevocationListSummary, SetLimitRequest, SetPoliciesRequest, SimulatePoliciesRequest, SimulatePoliciesResponse,
    SuspendPrincipalRequest, Suspension, TokenStatus, TrustAnchor, UnregisterPrincipalRequest, UpdateGroupRequest,
    UpdateOrganizationRequest, UpdateRevocationListRequest, UpdateTrustAnchorRequest,
    admin_service_server::AdminService,
};
use prost::Message;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

const ORG: &str = "organizations/org1";
/// Of the anchor that is there.
pub(crate) const ANCHOR: &str = "organizations/org1/anchors/ab12";

/// What the service keeps of its registry.
#[derive(Default)]
pub(crate) struct Kept {
    /// Changes in the order they came, encoded.
    sent: Mutex<Vec<Vec<u8>>>,
    operator: AtomicBool,
}

impl Service {
    /// The last change that was asked for.
    pub(crate) fn sent<M: Message + Default>(&self) -> M {
        M::decode(&self.0.admin.sent.lock().unwrap().last().unwrap()[..]).unwrap()
    }

    /// How many changes were asked for.
    pub(crate) fn changes(&self) -> usize {
        self.0.admin.sent.lock().unwrap().len()
    }

    /// Whoever asks is the platform operator from now on.
    pub(crate) fn meet_operator(&self) {
        self.0.admin.operator.store(true, Ordering::Relaxed);
    }

    fn keep(&self, change: &impl Message) {
        self.0.admin.sent.lock().unwrap().push(change.encode_to_vec());
    }
}

fn nothing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not in this test"))
}

fn day(days: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: days * 86_400, nanos: 0 })
}

/// Two of them, and the token of the next.
fn page<T>(all: Vec<T>, token: &str) -> (Vec<T>, String) {
    let (first, length) = (token.parse().unwrap_or(0), all.len());
    let next = if first + 2 < length { (first + 2).to_string() } else { String::new() };
    (all.into_iter().skip(first).take(2).collect(), next)
}

fn organization(name: &str) -> Organization {
    Organization {
        name: name.to_owned(),
        create_time: day(1),
        enrolling_roles: vec!["peer".into(), "ca".into()],
        pin_strict: true,
        ..Organization::default()
    }
}

pub(crate) fn pattern(role: &str, pattern: &str) -> NamePattern {
    NamePattern { role: role.to_owned(), pattern: pattern.to_owned() }
}

fn anchors() -> Vec<TrustAnchor> {
    let anchor = TrustAnchor {
        name: ANCHOR.into(),
        certificate: b"certificate".to_vec(),
        patterns: vec![pattern("peer", "peer*"), pattern("client", "*")],
        removed: false,
        subject: "CN=ca.org1,O=Org1".into(),
        expire_time: day(20_000),
        revocation_list: None,
    };
    let list = RevocationListSummary {
        number: "7".into(),
        entries: 1,
        this_update: day(2),
        next_update: day(3),
        expired: true,
    };
    vec![
        TrustAnchor { revocation_list: Some(list), ..anchor.clone() },
        TrustAnchor { name: format!("{ORG}/anchors/cd34"), patterns: Vec::new(), ..anchor.clone() },
        TrustAnchor { name: format!("{ORG}/anchors/ef56"), removed: true, ..anchor },
    ]
}

fn principals() -> Vec<Principal> {
    let key = |byte, days, pending| PrincipalKey {
        public_key_sha256: vec![byte; 32],
        first_seen: if days > 0 { day(days) } else { None },
        pending,
    };
    let principal = |name: &str, role: &str, keys| Principal {
        name: format!("{ORG}/principals/{name}"),
        role: role.to_owned(),
        keys,
        suspended: name == "carol",
    };
    vec![
        principal("auditor", "auditor", vec![key(0xaa, 0, false)]),
        principal("carol", "ca", vec![key(0xbb, 0, false)]),
        principal("gone", "auditor", Vec::new()),
        principal("peer0", "", vec![key(0xcc, 4, false), key(0xdd, 5, true)]),
    ]
}

fn suspensions() -> Vec<Suspension> {
    let suspension = |id: &str, reason: &str, lifted| Suspension {
        name: format!("{ORG}/suspensions/{id}"),
        reason: reason.to_owned(),
        create_time: day(6),
        lifted,
        ..Suspension::default()
    };
    vec![
        Suspension {
            principal: format!("{ORG}/principals/carol"),
            ..suspension("principal-carol", "left\u{1b}[2J", false)
        },
        Suspension { certificate_sha256: vec![0xab; 32], ..suspension("certificate-ab", "stolen laptop", true) },
        Suspension { public_key_sha256: vec![0xcd; 32], ..suspension("public-key-cd", "in a repository", false) },
    ]
}

fn groups() -> Vec<Group> {
    let group = |id: &str, members: &[&str]| Group {
        name: format!("{ORG}/groups/{id}"),
        members: members.iter().map(|member| format!("{ORG}/principals/{member}")).collect(),
    };
    vec![group("day", &["peer0", "peer1"]), group("night", &["peer2"]), group("old", &["carol"])]
}

fn limits() -> Vec<Limit> {
    let limit = |subject: &str| Limit { subject: format!("{ORG}{subject}"), ..Limit::default() };
    vec![
        Limit { per_second: Some(100), keys: Some(1_000), used_today: 17, ..limit("") },
        Limit { total: Some(5_000), used_total: 12, ..limit("/keys/peer0") },
        Limit { per_second: Some(10), per_day: Some(400), used_today: 3, ..limit("/principals/peer0") },
    ]
}

/// One of a list by its name, which another organization has none of.
fn named<T>(all: Vec<T>, named: impl Fn(&T) -> &str, name: &str) -> Result<Response<T>, Status> {
    let found = all.into_iter().find(|one| named(one) == name);
    found.map(Response::new).ok_or_else(|| refuse(Code::PermissionDenied, "DENIED", false))
}

#[tonic::async_trait]
impl AdminService for Service {
    type SimulatePoliciesStream = ReceiverStream<Result<SimulatePoliciesResponse, Status>>;

    async fn create_organization(
        &self,
        request: Request<CreateOrganizationRequest>,
    ) -> Result<Response<Organization>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(organization(&format!("organizations/{}", request.get_ref().organization_id))))
    }

    async fn get_organization(
        &self,
        request: Request<GetOrganizationRequest>,
    ) -> Result<Response<Organization>, Status> {
        Ok(Response::new(organization(&request.get_ref().name)))
    }

    async fn list_organizations(
        &self,
        request: Request<ListOrganizationsRequest>,
    ) -> Result<Response<ListOrganizationsResponse>, Status> {
        let all = ["org1", "org2", "platform"]
            .map(|id| Organization { name: format!("organizations/{id}"), ..Organization::default() });
        let (organizations, next_page_token) = page(all.to_vec(), &request.get_ref().page_token);
        Ok(Response::new(ListOrganizationsResponse { organizations, next_page_token }))
    }

    async fn update_organization(
        &self,
        request: Request<UpdateOrganizationRequest>,
    ) -> Result<Response<Organization>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(organization(&request.get_ref().name)))
    }

    /// Asks for a second officer where there is no proof.
    async fn add_trust_anchor(&self, request: Request<AddTrustAnchorRequest>) -> Result<Response<TrustAnchor>, Status> {
        self.keep(request.get_ref());
        if request.get_ref().proof.is_empty() {
            return Err(refuse(Code::FailedPrecondition, "APPROVAL_NEEDED", false));
        }
        Ok(Response::new(anchors().swap_remove(0)))
    }

    async fn list_trust_anchors(
        &self,
        request: Request<ListTrustAnchorsRequest>,
    ) -> Result<Response<ListTrustAnchorsResponse>, Status> {
        let (trust_anchors, next_page_token) = page(anchors(), &request.get_ref().page_token);
        let proof_text = format!("chancery trust anchor v1\nd\n{}\n", request.get_ref().parent).into_bytes();
        Ok(Response::new(ListTrustAnchorsResponse { trust_anchors, next_page_token, proof_text }))
    }

    async fn update_trust_anchor(
        &self,
        request: Request<UpdateTrustAnchorRequest>,
    ) -> Result<Response<TrustAnchor>, Status> {
        self.keep(request.get_ref());
        named(anchors(), |anchor| &anchor.name, &request.get_ref().name)
    }

    async fn remove_trust_anchor(
        &self,
        request: Request<RemoveTrustAnchorRequest>,
    ) -> Result<Response<TrustAnchor>, Status> {
        self.keep(request.get_ref());
        named(anchors(), |anchor| &anchor.name, &request.get_ref().name)
    }

    async fn update_revocation_list(
        &self,
        request: Request<UpdateRevocationListRequest>,
    ) -> Result<Response<TrustAnchor>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(anchors().swap_remove(0)))
    }

    async fn register_principal(
        &self,
        request: Request<RegisterPrincipalRequest>,
    ) -> Result<Response<Principal>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(principals().swap_remove(0)))
    }

    async fn list_principals(
        &self,
        request: Request<ListPrincipalsRequest>,
    ) -> Result<Response<ListPrincipalsResponse>, Status> {
        let (principals, next_page_token) = page(principals(), &request.get_ref().page_token);
        Ok(Response::new(ListPrincipalsResponse { principals, next_page_token }))
    }

    async fn unregister_principal(
        &self,
        request: Request<UnregisterPrincipalRequest>,
    ) -> Result<Response<Principal>, Status> {
        self.keep(request.get_ref());
        named(principals(), |principal| &principal.name, &request.get_ref().name)
    }

    async fn approve_principal_key(
        &self,
        request: Request<ApprovePrincipalKeyRequest>,
    ) -> Result<Response<Principal>, Status> {
        self.keep(request.get_ref());
        named(principals(), |principal| &principal.name, &request.get_ref().name)
    }

    async fn suspend_principal(
        &self,
        request: Request<SuspendPrincipalRequest>,
    ) -> Result<Response<Suspension>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(suspensions().swap_remove(0)))
    }

    async fn lift_suspension(&self, request: Request<LiftSuspensionRequest>) -> Result<Response<Suspension>, Status> {
        self.keep(request.get_ref());
        named(suspensions(), |suspension| &suspension.name, &request.get_ref().name)
    }

    async fn list_suspensions(
        &self,
        request: Request<ListSuspensionsRequest>,
    ) -> Result<Response<ListSuspensionsResponse>, Status> {
        let (suspensions, next_page_token) = page(suspensions(), &request.get_ref().page_token);
        Ok(Response::new(ListSuspensionsResponse { suspensions, next_page_token }))
    }

    async fn update_group(&self, request: Request<UpdateGroupRequest>) -> Result<Response<Group>, Status> {
        self.keep(request.get_ref());
        let UpdateGroupRequest { name, members, .. } = request.into_inner();
        Ok(Response::new(Group { name, members }))
    }

    async fn list_groups(&self, request: Request<ListGroupsRequest>) -> Result<Response<ListGroupsResponse>, Status> {
        let (groups, next_page_token) = page(groups(), &request.get_ref().page_token);
        Ok(Response::new(ListGroupsResponse { groups, next_page_token }))
    }

    async fn get_policies(&self, _: Request<GetPoliciesRequest>) -> Result<Response<Policies>, Status> {
        nothing()
    }

    async fn set_policies(&self, _: Request<SetPoliciesRequest>) -> Result<Response<Policies>, Status> {
        nothing()
    }

    async fn reload_policies(
        &self,
        _: Request<ReloadPoliciesRequest>,
    ) -> Result<Response<ReloadPoliciesResponse>, Status> {
        nothing()
    }

    async fn explain_decision(
        &self,
        _: Request<ExplainDecisionRequest>,
    ) -> Result<Response<ExplainDecisionResponse>, Status> {
        nothing()
    }

    async fn simulate_policies(
        &self,
        _: Request<SimulatePoliciesRequest>,
    ) -> Result<Response<Self::SimulatePoliciesStream>, Status> {
        nothing()
    }

    async fn set_limit(&self, request: Request<SetLimitRequest>) -> Result<Response<Limit>, Status> {
        self.keep(request.get_ref());
        Ok(Response::new(request.into_inner().limit.unwrap_or_default()))
    }

    async fn list_limits(&self, request: Request<ListLimitsRequest>) -> Result<Response<ListLimitsResponse>, Status> {
        let (limits, next_page_token) = page(limits(), &request.get_ref().page_token);
        Ok(Response::new(ListLimitsResponse { limits, next_page_token }))
    }

    async fn list_approvals(
        &self,
        _: Request<ListApprovalsRequest>,
    ) -> Result<Response<ListApprovalsResponse>, Status> {
        nothing()
    }

    async fn approve_operation(&self, _: Request<ApproveOperationRequest>) -> Result<Response<Approval>, Status> {
        nothing()
    }

    async fn cancel_approval(&self, _: Request<CancelApprovalRequest>) -> Result<Response<Approval>, Status> {
        nothing()
    }

    async fn get_key_usage(&self, _: Request<GetKeyUsageRequest>) -> Result<Response<KeyUsage>, Status> {
        nothing()
    }

    async fn get_token_status(&self, _: Request<GetTokenStatusRequest>) -> Result<Response<TokenStatus>, Status> {
        if !self.0.admin.operator.load(Ordering::Relaxed) {
            return Err(refuse(Code::PermissionDenied, "DENIED", false));
        }
        Ok(Response::new(TokenStatus {
            open: true,
            label: "chancery".into(),
            model: "SoftHSM v2".into(),
            serial: "0123".into(),
            manufacturer: "SoftHSM project".into(),
            library_version: "2.7".into(),
            audit_log_problem: String::new(),
        }))
    }

    async fn add_cosignature(
        &self,
        _: Request<AddCosignatureRequest>,
    ) -> Result<Response<AddCosignatureResponse>, Status> {
        nothing()
    }
}
