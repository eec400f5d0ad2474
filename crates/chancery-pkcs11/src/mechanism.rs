//! Mechanisms with their parameters, parsed (PKCS#11 v3.0 §6).

use cryptoki_sys::CK_MECHANISM_TYPE;

/// A mechanism as a client gave it: numbers are the standard's or a vendor's, pointers are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mechanism {
    /// CKM_*.
    pub kind: CK_MECHANISM_TYPE,
    /// Its parameter.
    pub parameter: Parameter,
}

/// Parameters of mechanisms. Fields are named as in the standard; what they mean is checked by `operations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// None.
    None,
    /// Bytes without pointers in them: an initialization vector, a number.
    Bytes(Vec<u8>),
    /// CK_RSA_PKCS_PSS_PARAMS.
    Pss {
        /// hashAlg.
        hash: CK_MECHANISM_TYPE,
        /// mgf.
        mgf: u64,
        /// sLen, bytes.
        salt: u64,
    },
    /// CK_RSA_PKCS_OAEP_PARAMS.
    Oaep {
        /// hashAlg.
        hash: CK_MECHANISM_TYPE,
        /// mgf.
        mgf: u64,
        /// pSourceData.
        label: Vec<u8>,
    },
    /// CK_ECDH1_DERIVE_PARAMS.
    Ecdh1 {
        /// kdf.
        kdf: u64,
        /// pSharedData.
        shared: Vec<u8>,
        /// pPublicData: a point, raw or in an OCTET STRING.
        public: Vec<u8>,
    },
    /// CK_GCM_PARAMS.
    Gcm {
        /// pIv.
        iv: Vec<u8>,
        /// pAAD.
        aad: Vec<u8>,
        /// ulTagBits.
        tag_bits: u64,
    },
    /// CK_EDDSA_PARAMS.
    Eddsa {
        /// phFlag.
        prehash: bool,
        /// pContextData.
        context: Vec<u8>,
    },
    /// CK_SIGN_ADDITIONAL_CONTEXT (v3.2), of ML-DSA.
    MlDsa {
        /// hedgeVariant.
        hedge: u64,
        /// pContext.
        context: Vec<u8>,
    },
}
