//! Requests and certificates, with the openssl command line as the other side: it makes the keys and signatures,
//! verifies what is built here, and builds what is parsed here.

mod issuing;
mod ml_dsa;
mod names;
mod public_keys;
mod requests;
