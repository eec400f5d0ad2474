//! AdminService.

mod anchors;
mod approvals;
mod cosignatures;
mod limits;
mod organizations;
mod policies;
mod principals;

use super::Parts;
use chancery_api::v1::{self, admin_service_server::AdminService};
use tonic::{Request, Response, Status};

pub(super) struct Service {
    parts: Parts,
}

impl Service {
    pub(super) fn new(parts: &Parts) -> Self {
        Self { parts: parts.clone() }
    }
}

#[tonic::async_trait]
impl AdminService for Service {
    async fn create_organization(
        &self,
        request: Request<v1::CreateOrganizationRequest>,
    ) -> Result<Response<v1::Organization>, Status> {
        organizations::create_organization(&self.parts, request).await
    }

    async fn get_organization(
        &self,
        request: Request<v1::GetOrganizationRequest>,
    ) -> Result<Response<v1::Organization>, Status> {
        organizations::get_organization(&self.parts, request).await
    }

    async fn list_organizations(
        &self,
        request: Request<v1::ListOrganizationsRequest>,
    ) -> Result<Response<v1::ListOrganizationsResponse>, Status> {
        organizations::list_organizations(&self.parts, request).await
    }

    async fn update_organization(
        &self,
        request: Request<v1::UpdateOrganizationRequest>,
    ) -> Result<Response<v1::Organization>, Status> {
        organizations::update_organization(&self.parts, request).await
    }

    async fn add_trust_anchor(
        &self,
        request: Request<v1::AddTrustAnchorRequest>,
    ) -> Result<Response<v1::TrustAnchor>, Status> {
        anchors::add_trust_anchor(&self.parts, request).await
    }

    async fn list_trust_anchors(
        &self,
        request: Request<v1::ListTrustAnchorsRequest>,
    ) -> Result<Response<v1::ListTrustAnchorsResponse>, Status> {
        anchors::list_trust_anchors(&self.parts, request).await
    }

    async fn update_trust_anchor(
        &self,
        request: Request<v1::UpdateTrustAnchorRequest>,
    ) -> Result<Response<v1::TrustAnchor>, Status> {
        anchors::update_trust_anchor(&self.parts, request).await
    }

    async fn remove_trust_anchor(
        &self,
        request: Request<v1::RemoveTrustAnchorRequest>,
    ) -> Result<Response<v1::TrustAnchor>, Status> {
        anchors::remove_trust_anchor(&self.parts, request).await
    }

    async fn update_revocation_list(
        &self,
        request: Request<v1::UpdateRevocationListRequest>,
    ) -> Result<Response<v1::TrustAnchor>, Status> {
        anchors::update_revocation_list(&self.parts, request).await
    }

    async fn register_principal(
        &self,
        request: Request<v1::RegisterPrincipalRequest>,
    ) -> Result<Response<v1::Principal>, Status> {
        principals::register_principal(&self.parts, request).await
    }

    async fn list_principals(
        &self,
        request: Request<v1::ListPrincipalsRequest>,
    ) -> Result<Response<v1::ListPrincipalsResponse>, Status> {
        principals::list_principals(&self.parts, request).await
    }

    async fn unregister_principal(
        &self,
        request: Request<v1::UnregisterPrincipalRequest>,
    ) -> Result<Response<v1::Principal>, Status> {
        principals::unregister_principal(&self.parts, request).await
    }

    async fn approve_principal_key(
        &self,
        request: Request<v1::ApprovePrincipalKeyRequest>,
    ) -> Result<Response<v1::Principal>, Status> {
        principals::approve_principal_key(&self.parts, request).await
    }

    async fn suspend_principal(
        &self,
        request: Request<v1::SuspendPrincipalRequest>,
    ) -> Result<Response<v1::Suspension>, Status> {
        principals::suspend_principal(&self.parts, request).await
    }

    async fn lift_suspension(
        &self,
        request: Request<v1::LiftSuspensionRequest>,
    ) -> Result<Response<v1::Suspension>, Status> {
        principals::lift_suspension(&self.parts, request).await
    }

    async fn list_suspensions(
        &self,
        request: Request<v1::ListSuspensionsRequest>,
    ) -> Result<Response<v1::ListSuspensionsResponse>, Status> {
        principals::list_suspensions(&self.parts, request).await
    }

    async fn update_group(&self, request: Request<v1::UpdateGroupRequest>) -> Result<Response<v1::Group>, Status> {
        principals::update_group(&self.parts, request).await
    }

    async fn list_groups(
        &self,
        request: Request<v1::ListGroupsRequest>,
    ) -> Result<Response<v1::ListGroupsResponse>, Status> {
        principals::list_groups(&self.parts, request).await
    }

    async fn get_policies(&self, request: Request<v1::GetPoliciesRequest>) -> Result<Response<v1::Policies>, Status> {
        policies::get_policies(&self.parts, request).await
    }

    async fn set_policies(&self, request: Request<v1::SetPoliciesRequest>) -> Result<Response<v1::Policies>, Status> {
        policies::set_policies(&self.parts, request).await
    }

    async fn reload_policies(
        &self,
        request: Request<v1::ReloadPoliciesRequest>,
    ) -> Result<Response<v1::ReloadPoliciesResponse>, Status> {
        policies::reload_policies(&self.parts, request).await
    }

    async fn explain_decision(
        &self,
        request: Request<v1::ExplainDecisionRequest>,
    ) -> Result<Response<v1::ExplainDecisionResponse>, Status> {
        policies::explain_decision(&self.parts, request).await
    }

    async fn set_limit(&self, request: Request<v1::SetLimitRequest>) -> Result<Response<v1::Limit>, Status> {
        limits::set_limit(&self.parts, request).await
    }

    async fn list_limits(
        &self,
        request: Request<v1::ListLimitsRequest>,
    ) -> Result<Response<v1::ListLimitsResponse>, Status> {
        limits::list_limits(&self.parts, request).await
    }

    async fn get_token_status(
        &self,
        request: Request<v1::GetTokenStatusRequest>,
    ) -> Result<Response<v1::TokenStatus>, Status> {
        limits::get_token_status(&self.parts, request).await
    }

    async fn list_approvals(
        &self,
        request: Request<v1::ListApprovalsRequest>,
    ) -> Result<Response<v1::ListApprovalsResponse>, Status> {
        approvals::list_approvals(&self.parts, request).await
    }

    async fn approve_operation(
        &self,
        request: Request<v1::ApproveOperationRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        approvals::approve_operation(&self.parts, request).await
    }

    async fn cancel_approval(
        &self,
        request: Request<v1::CancelApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        approvals::cancel_approval(&self.parts, request).await
    }

    async fn get_key_usage(&self, request: Request<v1::GetKeyUsageRequest>) -> Result<Response<v1::KeyUsage>, Status> {
        approvals::get_key_usage(&self.parts, request).await
    }

    async fn add_cosignature(
        &self,
        request: Request<v1::AddCosignatureRequest>,
    ) -> Result<Response<v1::AddCosignatureResponse>, Status> {
        cosignatures::add_cosignature(&self.parts, request).await
    }

    type SimulatePoliciesStream = policies::Changes;

    async fn simulate_policies(
        &self,
        request: Request<v1::SimulatePoliciesRequest>,
    ) -> Result<Response<Self::SimulatePoliciesStream>, Status> {
        policies::simulate_policies(&self.parts, request).await
    }
}
