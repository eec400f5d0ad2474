//! Envelopes: opened as an implementation of RFC 9180 that is not ours sealed them, and never for anything else.
#![forbid(unsafe_code)]

use chancery_transfer::envelope::{Context, EnvelopeError, MAX_PLAINTEXT, OVERHEAD, PrivateKey, PublicKey, open, seal};

const IMPORT: Context<'_> = Context::Import {
    deployment: "deployment-a",
    version: "organizations/org1/keys/peer0/versions/1",
    algorithm: "ec-p256",
    purpose: "sign",
    transport_key: &[7; 16],
};
const CUSTODY: Context<'_> = Context::Custody {
    deployment: "deployment-a",
    backup: "organizations/org1/backups/weekly",
    custodian: "organizations/org1/principals/alice",
};
const RESTORE: Context<'_> = Context::Restore {
    deployment: "deployment-b",
    backup: "organizations/org1/backups/weekly",
    transport_key: &[7; 16],
};

/// The private key 0102…1f20, and what Python's `cryptography` 50.0.2 (OpenSSL's HPKE, suite P-256, HKDF-SHA256,
/// AES-256-GCM) sealed to it, with `info` put together from docs/key-transfer.md.
const PUBLIC_KEY: &str = "04515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f\
                          4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354";
const PLAINTEXT: &[u8] = b"a secret key of 32 bytes, or so.";
const SEALED: [(Context<'_>, &str); 3] = [
    (
        IMPORT,
        "0411afc8363388fb78c319c5bd1fd8251071481e5edae538987e54d844dbaa5fa90260eac2e0a35de5709319c6a74842d178d3a9d0ac3f9\
         82f8c28294462c000534b45c1e1f68778c7433bf7e7c94f5aee6ae161a9f958acddad7803edac24becfe8fb11007844a5e0d30a0cc670c7\
         33e7",
    ),
    (
        CUSTODY,
        "04ad9c04df0ff4353a4919addb650cb45f06525a14bf7be141df718be053d4b59d7910f21b9d8580d2b5736d1f07c31d6a244b24651e960\
         4b2fd1065d140ed29c33e234db433581e8c4ef6652c9db6e67b6a5a4f1ed58136035258a268168a4ce6bddbc24b424505b873e3e73a89fd\
         c3ce",
    ),
    (
        RESTORE,
        "04c8aea9bfae46563a5bf813e066d0e0649a700d3f7ccb053949443e113a0f1a4cf7ee3735affe4b3ca805e7a2714f45f47ca4f41aaa4f3\
         a61ef37d2a980f52a4291eaf5fc7ae2f5f35ba21062f9c6e74226e7b3c36b93f9aba35cd90808e0e4d0bd63960b22622e2d0c432ca44c23\
         49be",
    ),
];

fn known_key() -> PrivateKey {
    let bytes: Vec<u8> = (1..=32).collect();
    PrivateKey::from_bytes(&bytes).unwrap()
}

#[test]
fn opens_what_a_foreign_implementation_sealed() {
    assert_eq!(hex::encode(known_key().public_key().to_bytes()), PUBLIC_KEY);
    for (context, sealed) in SEALED {
        let sealed = hex::decode(sealed).unwrap();
        assert_eq!(open(&known_key(), &context, &sealed).unwrap().as_slice(), PLAINTEXT, "{context:?}");
    }
}

#[test]
fn what_is_sealed_opens_for_its_own_context_only() {
    let key = known_key();
    let version = "organizations/org1/keys/peer0/versions/1";
    let shifted = format!("a{version}");
    let import = |deployment, version, algorithm, purpose, transport_key| Context::Import {
        deployment,
        version,
        algorithm,
        purpose,
        transport_key,
    };
    let custody = |deployment, backup, custodian| Context::Custody { deployment, backup, custodian };
    let restore = |deployment, backup, transport_key| Context::Restore { deployment, backup, transport_key };
    let contexts = [
        import("deployment-a", version, "ec-p256", "sign", &[7; 16]),
        import("deployment-b", version, "ec-p256", "sign", &[7; 16]),
        import("deployment-a", "organizations/org2/keys/peer0/versions/1", "ec-p256", "sign", &[7; 16]),
        import("deployment-a", "organizations/org1/keys/peer0/versions/2", "ec-p256", "sign", &[7; 16]),
        import("deployment-a", version, "ec-secp256k1", "sign", &[7; 16]),
        import("deployment-a", version, "ec-p256", "agree", &[7; 16]),
        import("deployment-a", version, "ec-p256", "sign", &[8; 16]),
        // The same bytes, cut into fields elsewhere.
        import("deployment-", &shifted, "ec-p256", "sign", &[7; 16]),
        CUSTODY,
        custody("deployment-b", "organizations/org1/backups/weekly", "organizations/org1/principals/alice"),
        custody("deployment-a", "organizations/org1/backups/daily", "organizations/org1/principals/alice"),
        custody("deployment-a", "organizations/org1/backups/weekly", "organizations/org1/principals/bob"),
        RESTORE,
        restore("deployment-a", "organizations/org1/backups/weekly", &[7; 16]),
        restore("deployment-b", "organizations/org1/backups/daily", &[7; 16]),
        restore("deployment-b", "organizations/org1/backups/weekly", &[8; 16]),
    ];
    for (at, sealed_for) in contexts.iter().enumerate() {
        let sealed = seal(&key.public_key(), sealed_for, PLAINTEXT).unwrap();
        for (other, opened_as) in contexts.iter().enumerate() {
            let opened = open(&key, opened_as, &sealed);
            assert_eq!(opened.is_ok(), at == other, "sealed for {sealed_for:?}, opened as {opened_as:?}");
        }
        assert_eq!(open(&PrivateKey::generate(), sealed_for, &sealed), Err(EnvelopeError::Opening));
    }
}

#[test]
fn every_changed_or_missing_byte_is_found() {
    let key = known_key();
    let sealed = seal(&key.public_key(), &IMPORT, PLAINTEXT).unwrap();
    assert_eq!(sealed.len(), PLAINTEXT.len() + OVERHEAD);
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x01;
        assert_eq!(open(&key, &IMPORT, &changed), Err(EnvelopeError::Opening), "byte {at}");
        assert_eq!(open(&key, &IMPORT, &sealed[..at]), Err(EnvelopeError::Opening), "cut to {at} bytes");
    }
}

#[test]
fn sealing_twice_never_gives_the_same_bytes() {
    let to = known_key().public_key();
    assert_ne!(seal(&to, &IMPORT, PLAINTEXT).unwrap(), seal(&to, &IMPORT, PLAINTEXT).unwrap());
}

#[test]
fn what_is_too_long_is_refused() {
    let key = known_key();
    let to = key.public_key();
    assert!(seal(&to, &IMPORT, &vec![0; MAX_PLAINTEXT]).is_ok());
    assert_eq!(seal(&to, &IMPORT, &vec![0; MAX_PLAINTEXT + 1]), Err(EnvelopeError::TooLong));
    assert_eq!(open(&key, &IMPORT, &vec![4; MAX_PLAINTEXT + OVERHEAD + 1]), Err(EnvelopeError::TooLong));
    let name = "x".repeat(1025);
    let context = Context::Restore { deployment: &name, backup: "b", transport_key: &[7; 16] };
    assert_eq!(seal(&to, &context, PLAINTEXT), Err(EnvelopeError::Context));
}

#[test]
fn only_points_of_the_curve_are_public_keys() {
    let point = known_key().public_key().to_bytes();
    assert!(PublicKey::from_bytes(&point).is_ok());
    let mut off_the_curve = point;
    off_the_curve[64] ^= 1;
    let mut compressed = point[..33].to_vec();
    compressed[0] = 2;
    for wrong in [&[][..], &[0], &off_the_curve, &compressed, &point[..64], &[&point[..], &[0]].concat(), &[0; 65]] {
        assert_eq!(PublicKey::from_bytes(wrong), Err(EnvelopeError::PublicKey), "{wrong:02x?}");
    }
    assert_eq!(PublicKey::from_spki(&point), Err(EnvelopeError::PublicKey));
}

#[test]
fn only_scalars_of_the_curve_are_private_keys() {
    for wrong in [&[0; 32][..], &[0xff; 32], &[1; 31], &[1; 33]] {
        assert_eq!(PrivateKey::from_bytes(wrong).unwrap_err(), EnvelopeError::PrivateKey);
    }
}

#[test]
fn a_private_key_is_read_as_openssl_writes_it() {
    let key = known_key();
    let sealed = seal(&key.public_key(), &IMPORT, PLAINTEXT).unwrap();
    // openssl pkcs8 -topk8 -nocrypt, and openssl ec, of the key 0102…1f20.
    let pkcs8 = include_str!("keys/pkcs8.pem");
    let sec1 = include_str!("keys/sec1.pem");
    for pem in [pkcs8, sec1] {
        let read = PrivateKey::from_pem(pem).unwrap();
        assert_eq!(open(&read, &IMPORT, &sealed).unwrap().as_slice(), PLAINTEXT);
    }
    assert_eq!(PrivateKey::from_pem(include_str!("keys/p384.pem")).unwrap_err(), EnvelopeError::PrivateKey);
    assert_eq!(PrivateKey::from_der(b"\x30\x00").unwrap_err(), EnvelopeError::PrivateKey);
}

#[test]
fn a_private_key_is_never_printed() {
    assert_eq!(format!("{:?}", known_key()), "PrivateKey(…)");
}
