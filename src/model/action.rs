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
