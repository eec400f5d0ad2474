//! Modes and hashes that a request names, with keys whose bytes are known: what the service makes of them is what openssl
//! makes of them, and each reads the other's.

use crate::{
    desk::{Desk, NODE},
    gcm::Gcm,
    shared::{deployment, key},
};

fn random(desk: &Desk<'_>, bytes: usize) -> String {
    desk.openssl.text(&format!("rand -hex {bytes}")).trim().to_owned()
}

/// An imported key of this algorithm: its name and bytes.
fn imported(desk: &Desk<'_>, algorithm: &str) -> (String, String) {
    let (name, bytes) = (key(&format!("modes-{algorithm}")), random(desk, if algorithm == "sm4" { 16 } else { 32 }));
    let file = desk.file("secret.hex", &bytes);
    desk.import(&name, &file, &format!("--algorithm {algorithm} --purpose encrypt"));
    (name, bytes)
}

fn modes_are_openssls(algorithm: &str, cipher: &'static str) {
    let desk = Desk::at(deployment());
    let (name, bytes) = imported(&desk, algorithm);
    let (here, there, opened) = (desk.path("here"), desk.path("there"), desk.path("opened"));
    for (mode, option, lengths) in [("cbc-pad", "", &[0, 1, 16, 1000][..]), ("cbc", "-nopad", &[16, 1008])] {
        for length in lengths {
            let (plain, iv) = (desk.file("plain", vec![0x5a; *length]), random(&desk, 16));
            desk.run(NODE, &format!("encrypt {name} --in {plain} --mode {mode} --iv {iv} --out {here}"));
            desk.openssl.text(&format!("enc -{cipher}-cbc {option} -K {bytes} -iv {iv} -in {plain} -out {there}"));
            assert_eq!(desk.read("here"), desk.read("there"), "{algorithm} {mode}: {length} bytes");
            desk.run(NODE, &format!("decrypt {name} --in {there} --mode {mode} --iv {iv} --out {opened}"));
            assert_eq!(desk.read("opened"), desk.read("plain"));
        }
    }
    // Other blocks, and another vector, end in no padding (but for one time in 256), and no answer tells which it was.
    let mut answers = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let (sealed, iv) = (desk.file("sealed", hex::decode(random(&desk, 32)).unwrap()), random(&desk, 16));
        let output =
            desk.output(NODE, &format!("decrypt {name} --in {sealed} --mode cbc-pad --iv {iv} --out {opened}"));
        if !output.status.success() {
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("BAD_INPUT"), "{said}");
            answers.insert(said);
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");

    let mut known = Gcm { desk: &desk, cipher, key: [0; 32], length: bytes.len() / 2 };
    hex::decode_to_slice(&bytes, &mut known.key[..bytes.len() / 2]).unwrap();
    for plain in [&b""[..], b"sixteen bytes!!!", &[7; 100]] {
        let (input, aad, nonce) = (desk.file("plain", plain), desk.file("aad", b"bound"), random(&desk, 12));
        let options = format!("--mode gcm --iv {nonce} --aad {aad}");
        desk.run(NODE, &format!("encrypt {name} --in {input} {options} --out {here}"));
        let theirs = known.seal(hex::decode(&nonce).unwrap().try_into().unwrap(), b"bound", plain);
        assert_eq!(desk.read("here"), theirs[12..], "{algorithm}: ciphertext and tag, without the nonce");
        desk.run(NODE, &format!("decrypt {name} --in {here} {options} --out {opened}"));
        assert_eq!(desk.read("opened"), plain);
    }
}

#[test]
fn aes() {
    modes_are_openssls("aes-256", "aes-256");
}

#[test]
fn sm4() {
    modes_are_openssls("sm4", "sm4");
}

#[test]
fn oaep_with_each_hash() {
    let desk = Desk::at(deployment());
    let (name, label) = (key("modes-rsa"), desk.file("label", b"label"));
    let private = desk.generate("private.pem", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048");
    desk.import(&name, &private, "--algorithm rsa-2048 --purpose encrypt --protection enclave");
    let (here, there, opened) = (desk.path("here"), desk.path("there"), desk.path("opened"));
    for (hash, bytes) in [("sha1", 20), ("sha256", 32), ("sha384", 48), ("sha512", 64)] {
        // RFC 8017 §7.1.1.
        let most = 256 - 2 * bytes - 2;
        let oaep = format!(
            "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{hash} -pkeyopt rsa_mgf1_md:{hash} \
             -pkeyopt rsa_oaep_label:6c6162656c"
        );
        let options = format!("--oaep-hash {hash} --aad {label}");
        for length in [0, 1, most] {
            let plain = desk.file("plain", vec![7; length]);
            desk.run(NODE, &format!("encrypt {name} --in {plain} {options} --out {here}"));
            desk.openssl.text(&format!("pkeyutl -decrypt -inkey {private} -in {here} -out {opened} {oaep}"));
            assert_eq!(desk.read("opened"), vec![7; length], "{hash}: {length} bytes, opened by openssl");
            desk.openssl.text(&format!("pkeyutl -encrypt -inkey {private} -in {plain} -out {there} {oaep}"));
            desk.run(NODE, &format!("decrypt {name} --in {there} {options} --out {opened}"));
            assert_eq!(desk.read("opened"), vec![7; length], "{hash}: {length} bytes, opened here");
        }
        let long = desk.file("long", vec![7; most + 1]);
        let refused = desk.refused(NODE, &format!("encrypt {name} --in {long} {options} --out {here}"));
        assert_eq!(refused.reason, "INVALID_ARGUMENT", "{refused:?}");
        assert!(refused.message.contains(&format!("0 to {most} bytes")), "{refused:?}");
        let other = if hash == "sha1" { "sha512" } else { "sha1" };
        let line = format!("decrypt {name} --in {there} --oaep-hash {other} --aad {label} --out {opened}");
        assert_eq!(desk.refused(NODE, &line).reason, "BAD_INPUT", "{hash} as {other}");
    }
}
