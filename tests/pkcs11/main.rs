//! Programs that know nothing of Chancery use its keys by loading the PKCS#11 module, as their manuals say: OpenSC's
//! pkcs11-tool, OpenSSL, GnuTLS, NSS, OpenSSH, Java, Node, Python. What they made is checked by programs that never loaded
//! it.
#![forbid(unsafe_code)]

#[path = "../harness/foreign.rs"]
mod foreign;
#[path = "../harness/go.rs"]
mod go;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../harness/pkcs11.rs"]
mod pkcs11;
#[path = "../harness/shared.rs"]
mod shared;

mod desk;

mod cryptoki;
mod gnutls;
mod java;
mod node;
mod nodes;
mod nss;
mod openssh;
mod openssl_engine;
mod permitted;
mod python;
mod recipes;
mod refusals;
mod tls;
mod tool_objects;
mod tool_signatures;
mod tool_token;
