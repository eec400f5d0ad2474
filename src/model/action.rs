//! What a principal may ask for: one action per API method.

super::words! {
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
        /// `AuditService.GetCheckpoint`.
        GetCheckpoint = "GetCheckpoint",
    }
}

super::words! {
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
    }
}
