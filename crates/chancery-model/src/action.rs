//! What a principal may ask for: one action per API method.

crate::words! {
    /// An action, named as its API method.
    pub enum Action {
        /// `SigningService.Sign` and `SignStream`.
        Sign = "Sign",
        /// `SigningService.Verify`.
        Verify = "Verify",
        /// `SigningService.GetPublicKey`.
        GetPublicKey = "GetPublicKey",
        /// `KeyService.CreateKey`.
        CreateKey = "CreateKey",
        /// `KeyService.GetKey`.
        GetKey = "GetKey",
        /// `KeyService.ListKeys`: on the organization; each key listed must also allow `GetKey`.
        ListKeys = "ListKeys",
        /// `KeyService.RotateKey`.
        RotateKey = "RotateKey",
        /// `KeyService.UpdateKey`.
        UpdateKey = "UpdateKey",
        /// `KeyService.ActivateKeyVersion`.
        ActivateKeyVersion = "ActivateKeyVersion",
        /// `KeyService.SuspendKeyVersion`.
        SuspendKeyVersion = "SuspendKeyVersion",
        /// `KeyService.DeactivateKeyVersion`.
        DeactivateKeyVersion = "DeactivateKeyVersion",
        /// `KeyService.MarkKeyVersionCompromised`.
        MarkKeyVersionCompromised = "MarkKeyVersionCompromised",
        /// `KeyService.ScheduleKeyVersionDestruction`.
        ScheduleKeyVersionDestruction = "ScheduleKeyVersionDestruction",
        /// `KeyService.RestoreKeyVersion`.
        RestoreKeyVersion = "RestoreKeyVersion",
        /// `KeyService.AttestKeyVersion`.
        AttestKeyVersion = "AttestKeyVersion",
        /// `KeyService.CreateImportJob`.
        CreateImportJob = "CreateImportJob",
        /// `KeyService.ImportKey`.
        ImportKey = "ImportKey",
        /// `KeyService.RewrapKeys`.
        RewrapKeys = "RewrapKeys",
        /// `KeyService.BackUpKeys`.
        BackUpKeys = "BackUpKeys",
        /// `KeyService.ListBackups`.
        ListBackups = "ListBackups",
        /// `KeyService.CreateRestoreJob`.
        CreateRestoreJob = "CreateRestoreJob",
        /// `KeyService.RestoreBackup`.
        RestoreBackup = "RestoreBackup",
        /// `KeyService.ConfirmClock`.
        ConfirmClock = "ConfirmClock",
        /// `CryptoService.DeriveSharedSecret`.
        DeriveSharedSecret = "DeriveSharedSecret",
        /// `CryptoService.Encrypt`.
        Encrypt = "Encrypt",
        /// `CryptoService.Decrypt`.
        Decrypt = "Decrypt",
        /// `CryptoService.GenerateMac`.
        GenerateMac = "GenerateMac",
        /// `CryptoService.VerifyMac`.
        VerifyMac = "VerifyMac",
        /// `CryptoService.GenerateRandom`: on the organization.
        GenerateRandom = "GenerateRandom",
        /// `CryptoService.WrapKey`.
        WrapKey = "WrapKey",
        /// `CryptoService.UnwrapKey`.
        UnwrapKey = "UnwrapKey",
        /// `CertificateService.BindCertificate`.
        BindCertificate = "BindCertificate",
        /// `CertificateService.CreateCertificateSigningRequest`.
        CreateCertificateSigningRequest = "CreateCertificateSigningRequest",
        /// `CertificateService.IssueCertificate`.
        IssueCertificate = "IssueCertificate",
        /// `AuditService.ListRecords`.
        ListRecords = "ListRecords",
        /// `AuditService.TailRecords`.
        TailRecords = "TailRecords",
        /// `AuditService.GetCheckpoint`: on the organization.
        GetCheckpoint = "GetCheckpoint",
        /// `AuditService.GetInclusionProof`: on the organization; the record itself goes to who made it, and to those who
        /// may `ListRecords`.
        GetInclusionProof = "GetInclusionProof",
        /// `AuditService.GetConsistencyProof`: on the organization.
        GetConsistencyProof = "GetConsistencyProof",
        /// `AdminService.AddCosignature`: on the organization.
        AddCosignature = "AddCosignature",
        /// `AdminService.GetOrganization`: on the organization.
        GetOrganization = "GetOrganization",
        /// `AdminService.UpdateOrganization`: on the organization.
        UpdateOrganization = "UpdateOrganization",
        /// `AdminService.AddTrustAnchor`: on the organization.
        AddTrustAnchor = "AddTrustAnchor",
        /// `AdminService.ListTrustAnchors`: on the organization.
        ListTrustAnchors = "ListTrustAnchors",
        /// `AdminService.UpdateTrustAnchor`: on the organization.
        UpdateTrustAnchor = "UpdateTrustAnchor",
        /// `AdminService.RemoveTrustAnchor`: on the organization.
        RemoveTrustAnchor = "RemoveTrustAnchor",
        /// `AdminService.UpdateRevocationList`: on the organization.
        UpdateRevocationList = "UpdateRevocationList",
        /// `AdminService.RegisterPrincipal`: on the organization.
        RegisterPrincipal = "RegisterPrincipal",
        /// `AdminService.ListPrincipals`: on the organization.
        ListPrincipals = "ListPrincipals",
        /// `AdminService.UnregisterPrincipal`: on the organization.
        UnregisterPrincipal = "UnregisterPrincipal",
        /// `AdminService.ApprovePrincipalKey`: on the organization.
        ApprovePrincipalKey = "ApprovePrincipalKey",
        /// `AdminService.SuspendPrincipal`: on the organization.
        SuspendPrincipal = "SuspendPrincipal",
        /// `AdminService.LiftSuspension`: on the organization.
        LiftSuspension = "LiftSuspension",
        /// `AdminService.ListSuspensions`: on the organization.
        ListSuspensions = "ListSuspensions",
        /// `AdminService.UpdateGroup`: on the organization.
        UpdateGroup = "UpdateGroup",
        /// `AdminService.ListGroups`: on the organization.
        ListGroups = "ListGroups",
        /// `AdminService.GetPolicies`: on the organization.
        GetPolicies = "GetPolicies",
        /// `AdminService.SetPolicies`: on the organization.
        SetPolicies = "SetPolicies",
        /// `AdminService.ExplainDecision`: on the organization.
        ExplainDecision = "ExplainDecision",
        /// `AdminService.SimulatePolicies`: on the organization.
        SimulatePolicies = "SimulatePolicies",
        /// `AdminService.SetLimit`: on the organization.
        SetLimit = "SetLimit",
        /// `AdminService.ListLimits`: on the organization.
        ListLimits = "ListLimits",
        /// `AdminService.ListApprovals`: on the organization.
        ListApprovals = "ListApprovals",
        /// `AdminService.ApproveOperation`: on the organization.
        ApproveOperation = "ApproveOperation",
        /// `AdminService.CancelApproval`: on the organization.
        CancelApproval = "CancelApproval",
        /// `AdminService.CreateOrganization`: on the deployment.
        CreateOrganization = "CreateOrganization",
        /// `AdminService.ListOrganizations`: on the deployment.
        ListOrganizations = "ListOrganizations",
        /// `AdminService.ReloadPolicies`: on the deployment.
        ReloadPolicies = "ReloadPolicies",
        /// `AdminService.GetTokenStatus`: on the deployment.
        GetTokenStatus = "GetTokenStatus",
        /// `AdminService.GetKeyUsage`.
        GetKeyUsage = "GetKeyUsage",
        /// `ObjectService.ListObjects`: on the organization; each key shown must also allow a use, or `GetKey` to its owner.
        ListObjects = "ListObjects",
        /// `ObjectService.RenewSessionObjects`: on the organization.
        RenewSessionObjects = "RenewSessionObjects",
        /// `ObjectService.CreateCertificateObject`: on the organization, for the caller itself.
        CreateCertificateObject = "CreateCertificateObject",
        /// `ObjectService.UpdateCertificateObject`: on the organization, of the caller's own.
        UpdateCertificateObject = "UpdateCertificateObject",
        /// `ObjectService.DeleteCertificateObject`: on the organization, of the caller's own.
        DeleteCertificateObject = "DeleteCertificateObject",
        /// `ObjectService.UpdateObject`: on the key.
        UpdateObject = "UpdateObject",
        /// `ObjectService.CopyObject`: on the key.
        CopyObject = "CopyObject",
        /// `ObjectService.DeleteObject`: on the key.
        DeleteObject = "DeleteObject",
    }
}

impl Action {
    /// Whether it uses a private or secret key: what rates and quotas count.
    pub const fn uses_key(self) -> bool {
        matches!(
            self,
            Self::Sign
                | Self::IssueCertificate
                | Self::CreateCertificateSigningRequest
                | Self::Decrypt
                | Self::Encrypt
                | Self::DeriveSharedSecret
                | Self::GenerateMac
                | Self::VerifyMac
                | Self::WrapKey
                | Self::UnwrapKey
        )
    }
}

crate::words! {
    /// What the service does to keys by itself, as its records name it.
    pub enum Scheduled {
        /// A rotation that is due.
        Rotation = "ScheduledRotation",
        /// A version's `activate_time`.
        Activation = "ScheduledActivation",
        /// A version's `expire_time`.
        Expiry = "ScheduledExpiry",
        /// A version's `destroy_time`.
        Destruction = "ScheduledDestruction",
        /// A version made ahead of its rotation.
        Filling = "FillPool",
        /// A provisional key that nobody used, or a session key whose process is gone: its destruction is due.
        Collection = "CollectKey",
    }
}
