//! The mirror over HTTPS, read with curl: what it serves is the tree that was signed, and nothing else.

use crate::{harness::Deployment, shared};
use chancery_api::v1::{Algorithm, GetInclusionProofRequest, get_inclusion_proof_request::Record};
use chancery_audit::{
    checkpoint::{Checkpoint, VerifierKey},
    merkle::{Frontier, Hash, leaf_hash},
    segment::Frames,
    tiles::{Tile, decode, subtree},
};
use std::{fs, process::Command};

/// A deployment with a mirror, and more than a tile's width of records.
struct Mirrored {
    deployment: Deployment,
    address: String,
}

/// Status, headers in lower case, body.
struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Mirrored {
    async fn start() -> Self {
        let mut deployment = Deployment::start();
        deployment.stop();
        let path = deployment.dir().join("chancery.toml");
        let text = fs::read_to_string(&path).unwrap() + "\n[mirror]\nlisten = \"127.0.0.1:0\"\n";
        fs::write(&path, text).unwrap();
        deployment.serve();
        let said = deployment.stderr();
        let address = said.split("mirrored over HTTPS address=").nth(1).unwrap().split_whitespace().next().unwrap();
        let address = address.to_owned();

        let officer = deployment.client("org1-security").await;
        let key = shared::key("mirrored");
        shared::make(&officer, shared::creation(&key, "peer0", Algorithm::EcP256)).await;
        let peer = deployment.client("org1-peer0").await;
        let signed = (0..280_u32).map(|n| shared::sign(&peer, shared::signing(&key, &n.to_le_bytes())));
        let signed = futures_util::future::join_all(signed).await;
        let last = signed.into_iter().map(|answer| answer.unwrap().record_index).max().unwrap();
        // A checkpoint over all of them.
        let asked = GetInclusionProofRequest { record: Some(Record::Index(last)), ..Default::default() };
        shared::call(peer.audit().get_inclusion_proof(asked)).await.unwrap();
        Self { deployment, address }
    }

    fn curl(&self, path: &str, more: &[&str]) -> Answer {
        let url = format!("https://{}{path}", self.address);
        let ca = self.deployment.client_dir("org1-peer0").join("ca.pem");
        let done = Command::new("curl")
            .args(["--silent", "--show-error", "--include", "--path-as-is", "--max-time", "30", "--cacert"])
            .arg(ca)
            .args(more)
            .arg(url)
            .output()
            .unwrap();
        assert!(done.status.success(), "{path}: {}", String::from_utf8_lossy(&done.stderr));
        let end = done.stdout.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let headers = String::from_utf8(done.stdout[..end].to_vec()).unwrap().to_lowercase();
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, headers, body: done.stdout[end + 4..].to_vec() }
    }

    fn checkpoint(&self) -> Checkpoint {
        let key: VerifierKey = fs::read_to_string(self.deployment.dir().join("audit.vkey")).unwrap().parse().unwrap();
        let answer = self.curl("/checkpoint", &[]);
        assert_eq!(answer.status, 200);
        assert!(answer.headers.contains("content-type: text/plain; charset=utf-8"), "{}", answer.headers);
        assert!(answer.headers.contains("cache-control: no-cache"), "{}", answer.headers);
        key.open_note(&String::from_utf8(answer.body).unwrap()).unwrap()
    }

    fn tile(&self, tile: Tile) -> Vec<Hash> {
        let answer = self.curl(&format!("/tile/{tile}"), &[]);
        assert_eq!(answer.status, 200, "{tile}");
        assert!(answer.headers.contains("content-type: application/octet-stream"), "{}", answer.headers);
        assert!(answer.headers.contains("immutable"), "{}", answer.headers);
        decode(&answer.body, tile.width()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_are_the_signed_tree_and_nothing_but_hashes() {
    let mirrored = Mirrored::start().await;
    let checkpoint = mirrored.checkpoint();
    assert!(checkpoint.size > 280);
    let mut leaves = mirrored.tile(Tile::full(0, 0));
    let partial: Vec<_> = Tile::partial_at(checkpoint.size).collect();
    assert_eq!(partial.len(), 2);
    leaves.extend(mirrored.tile(partial[0]));
    assert_eq!(leaves.len() as u64, checkpoint.size);
    let mut tree = Frontier::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    assert_eq!(tree.root(), checkpoint.root, "tiles recombine to the signed root");
    assert_eq!(mirrored.tile(partial[1]), [subtree(&leaves[..256])], "level 1");

    // Each of the bytes served is of a hash of a stored record.
    let segment = fs::read(mirrored.deployment.dir().join("audit/00000000000000000000.seg")).unwrap();
    let (_, frames) = Frames::new(&segment).unwrap();
    let stored: Vec<_> = frames.map_while(Result::ok).map(|frame| leaf_hash(frame.record)).collect();
    assert_eq!(stored[..leaves.len()], leaves[..]);

    // A tile that is not complete can be had as far as it goes; no tile beyond the checkpoint, and nothing else at all.
    assert_eq!(mirrored.tile(Tile::parse("0/000.p/7").unwrap()), leaves[..7]);
    let beyond = format!("/tile/0/001.p/{}", checkpoint.size - 255);
    for path in [
        "/",
        "/checkpoint/",
        "/tile",
        "/tile/0/001",
        "/tile/0/002",
        "/tile/0/001.p/255",
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/1/000",
        "/tile/2/000.p/1",
        "/tile/entries/000",
        "/tile/entries/000.p/1",
        "/tile/data/000",
        "/tile/../audit.vkey",
        "/tile/0/../../../audit.vkey",
        "/00000000000000000000.seg",
        "/tile/0/000?x",
        &beyond,
    ] {
        // A query changes nothing.
        let expected = if path.ends_with("?x") { 200 } else { 404 };
        let answer = mirrored.curl(path, &[]);
        // The log may have grown meanwhile by a record of its own.
        if path != beyond {
            assert_eq!(answer.status, expected, "{path}");
        }
    }
    let head = mirrored.curl("/tile/0/000", &["--head"]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.headers.contains("content-length: 8192"), "{}", head.headers);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(mirrored.curl("/checkpoint", &["--request", method]).status, 405, "{method}");
    }
    let long = format!("x-long: {}", "y".repeat(20_000));
    assert_eq!(mirrored.curl("/checkpoint", &["--header", &long]).status, 431);
    // It still serves.
    mirrored.checkpoint();
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_outlive_a_restart_and_are_mended_from_the_log() {
    let mut mirrored = Mirrored::start().await;
    let tile = mirrored.deployment.dir().join("data/tiles/0/000");
    let good = fs::read(&tile).unwrap();
    mirrored.deployment.stop();
    let mut bad = good.clone();
    bad[100] ^= 1;
    fs::write(&tile, &bad).unwrap();
    mirrored.deployment.serve();
    assert_eq!(fs::read(&tile).unwrap(), good);
    assert!(mirrored.deployment.stderr().contains("a tile disagrees with the log"));
}
