//! `chanceryd dev`: a complete deployment for one laptop, on SoftHSM, in one directory.
//!
//! **Invariants**: loopback only. The configuration is written last: a directory without one was left half made, and is
//! refused rather than mended. Client keys lie in files: this is for development.

use super::{DeploymentError, ask, identities::FileKey, init::init, pem, write_new};
use crate::{
    certificates::Profile,
    config::Configuration,
    enclave::{EnclaveProcess, default_program},
    policy::PolicySet,
    service::{Addresses, DataFiles},
};
use chancery_ipc::{InitializeToken, TokenAccess, TokenInitialized};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Where distributions put SoftHSM.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// A client: its name, its certificate's profile, and the role it is registered with.
type Client = (&'static str, Profile, Option<&'static str>);

const MEMBERS: [Client; 7] = [
    ("security", Profile::Client, Some("security-officer")),
    ("auditor", Profile::Client, Some("auditor")),
    ("ca", Profile::Client, Some("ca")),
    ("opssc", Profile::Client, Some("opssc-agent")),
    ("peer0", Profile::Peer, None),
    ("orderer0", Profile::Orderer, None),
    ("client", Profile::Client, None),
];

/// The organizations: id, members, and the roles that may create keys.
const ORGANIZATIONS: [(&str, &[Client], &str); 3] = [
    ("org1", &MEMBERS, r#""peer", "orderer", "ca", "client""#),
    ("org2", &MEMBERS, ""),
    ("platform", &[("operator", Profile::Client, Some("platform-operator"))], ""),
];

/// A development deployment, ready to be served.
pub struct Dev {
    /// Its configuration.
    pub configuration: Configuration,
    directory: PathBuf,
}

/// Makes the deployment in `directory`, or takes the one that is there.
///
/// # Errors
/// [`DeploymentError`].
pub async fn dev(directory: &Path, listen: SocketAddr, library: Option<PathBuf>) -> Result<Dev, DeploymentError> {
    if !listen.ip().is_loopback() {
        return Err(DeploymentError::NotLoopback);
    }
    let directory = std::path::absolute(directory).map_err(DeploymentError::io(directory))?;
    if !directory.join("chancery.toml").exists() {
        make(&directory, listen, library).await?;
    }
    let mut configuration = Configuration::load(&directory.join("chancery.toml"))?;
    configuration.listen = listen;
    Ok(Dev { configuration, directory })
}

async fn make(directory: &Path, listen: SocketAddr, library: Option<PathBuf>) -> Result<(), DeploymentError> {
    if directory.exists() && fs::read_dir(directory).map_err(DeploymentError::io(directory))?.next().is_some() {
        return Err(DeploymentError::HalfMade(directory.to_owned()));
    }
    let library = library.or_else(|| LIBRARIES.iter().map(PathBuf::from).find(|path| path.exists()));
    let library = library.ok_or(DeploymentError::NoSoftHsm)?;
    make_directory(directory)?;
    for name in ["tokens", "policies", "clients", "identity"] {
        make_directory(&directory.join(name))?;
    }
    let tokens = directory.join("tokens");
    let softhsm = include_str!("../../softhsm/softhsm2.conf").replace("@TOKENS@", &tokens.to_string_lossy());
    let softhsm_conf = directory.join("softhsm2.conf");
    write_new(&softhsm_conf, softhsm.as_bytes(), false)?;
    for (name, text) in PolicySet::shipped() {
        write_new(&directory.join("policies").join(name), text.as_bytes(), false)?;
    }
    for name in ["pin", "so-pin"] {
        write_new(&directory.join(name), random_pin()?.as_bytes(), true)?;
    }

    let token = TokenAccess {
        library: library.to_string_lossy().into_owned(),
        label: "chancery-dev".into(),
        pin_file: directory.join("pin").to_string_lossy().into_owned(),
    };
    let environment = BTreeMap::from([("SOFTHSM2_CONF".to_owned(), softhsm_conf.to_string_lossy().into_owned())]);
    let mut process = EnclaveProcess::spawn(&default_program(), &environment)?;
    let so_pin_file = directory.join("so-pin").to_string_lossy().into_owned();
    let initialize = InitializeToken { token: token.clone(), so_pin_file };
    let _token: TokenInitialized = ask!(process, InitializeToken(initialize) => TokenInitialized)?;
    drop(process);

    let mut organizations = String::new();
    for (id, members, enrolling) in ORGANIZATIONS {
        organizations.push_str(&make_organization(directory, id, members, enrolling)?);
    }
    let text = format!(
        "# Made by `chanceryd dev`. `listen` is what the first start was given; each start's --listen goes before it.\n\
         [service]\norigin = \"chancery-dev/{}\"\nlisten = \"{listen}\"\nserver_names = [\"localhost\", \"127.0.0.1\", \"::1\"]\n\n\
         [token]\nlibrary = {library:?}\nlabel = \"{}\"\npin_file = \"pin\"\nsessions = 2\n\n\
         [token.environment]\nSOFTHSM2_CONF = {softhsm_conf:?}\n\n\
         # Short enough to be tried out.\n\
         [keys]\nminimum_destruction_wait = \"0s\"\nminimum_rotation_interval = \"1s\"\n\n\
         # One person tries it out. Deployments that matter leave this section out.\n\
         [officers]\nsecond_officer = false\n{organizations}",
        uuid::Uuid::new_v4(),
        token.label,
    );
    let configuration = Configuration::parse(&text, directory)?;
    init(&configuration).await?;
    write_new(&directory.join("chancery.toml"), text.as_bytes(), false)
}

fn make_directory(path: &Path) -> Result<(), DeploymentError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(DeploymentError::io(path))
}

fn random_pin() -> Result<String, DeploymentError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| DeploymentError::Internal(error.to_string()))?;
    Ok(hex::encode(bytes))
}

/// An identity CA in a file and its members' certificates; the organization's part of the configuration.
fn make_organization(
    directory: &Path,
    id: &str,
    members: &[Client],
    enrolling: &str,
) -> Result<String, DeploymentError> {
    let authority_key = FileKey::generate()?;
    let request = authority_key.request(&format!("CN=identity CA,O={id}"), &[])?;
    let authority = authority_key.issue(Profile::RootCa, &request, None)?;
    write_new(&directory.join(format!("identity/{id}.pem")), pem("CERTIFICATE", &authority)?.as_bytes(), false)?;
    write_new(&directory.join(format!("identity/{id}.key")), authority_key.pem()?.as_bytes(), true)?;
    let mut part = format!(
        "\n[[bootstrap.organizations]]\nid = \"{id}\"\nenrolling_roles = [{enrolling}]\n\
         [[bootstrap.organizations.anchors]]\ncertificate = \"identity/{id}.pem\"\n\
         peer = [\"peer*\"]\norderer = [\"orderer*\"]\nclient = [\"client*\"]\n"
    );
    for (name, profile, role) in members {
        let client = client_name(id, name);
        let home = directory.join("clients").join(&client);
        make_directory(&home)?;
        let key = FileKey::generate()?;
        let request = key.request(&format!("CN={name},O={id}"), &[])?;
        let certificate = authority_key.issue(*profile, &request, Some(&authority))?;
        write_new(&home.join("cert.pem"), pem("CERTIFICATE", &certificate)?.as_bytes(), false)?;
        write_new(&home.join("key.pem"), key.pem()?.as_bytes(), true)?;
        if let Some(role) = role {
            let _ = write!(
                part,
                "[[bootstrap.organizations.principals]]\nrole = \"{role}\"\ncertificate = \"clients/{client}/cert.pem\"\n"
            );
        }
    }
    Ok(part)
}

fn client_name(organization: &str, member: &str) -> String {
    format!("{organization}-{member}")
}

/// What a client's PKCS#11 module needs: one slot, and its PIN. Written where it is missing or names another address:
/// switches that somebody set in it stay.
fn write_slot(home: &Path, organization: &str, address: SocketAddr) -> Result<(), DeploymentError> {
    let path = home.join("pkcs11.toml");
    let addresses = format!("addresses   = [\"{address}\"]\n");
    if !fs::read_to_string(&path).is_ok_and(|text| text.contains(&addresses)) {
        let text = format!(
            "{addresses}ca          = \"ca.pem\"\ncertificate = \"cert.pem\"\nkey         = \"key.pem\"\n\
             deadline    = \"30s\"\n\n\
             [[slot]]\nlabel        = \"{organization}\"\norganization = \"organizations/{organization}\"\n\
             protection   = \"token\"\npin_file     = \"pin\"\n"
        );
        fs::write(&path, text).map_err(DeploymentError::io(&path))?;
    }
    let pin = home.join("pin");
    if pin.exists() { Ok(()) } else { write_new(&pin, b"1234\n", true) }
}

impl Dev {
    /// Tells clients where the service is, and the person what to type next.
    pub fn announce(&self, bound: &Addresses) {
        if let Err(error) = self.write_clients(bound.api) {
            tracing::error!(%error, "the clients' configurations can't be written");
        }
        let dir = self.directory.display();
        println!(
            "Chancery development deployment in {dir}. Try, in another terminal:\n\
             \n  export CHANCERY_CONFIG={dir}/clients/org1-security/client.toml\n\
             \x20 chancery keys create organizations/org1/keys/peer0 --algorithm ec-p256 --owner peer0\n\
             \x20 chancery keys list organizations/org1\n\
             \x20 chancery --config {dir}/clients/org1-peer0/client.toml sign organizations/org1/keys/peer0 --in README.md --out sig.der\n\
             \x20 chancery --config {dir}/clients/org1-auditor/client.toml audit list\n\
             \x20 chancery audit verify --log {dir}/audit --key {dir}/audit.vkey\n"
        );
        bound.print();
    }

    fn write_clients(&self, address: SocketAddr) -> Result<(), DeploymentError> {
        let ca = DataFiles::new(&self.configuration.data).ca;
        for (id, members, _) in ORGANIZATIONS {
            for (name, ..) in members {
                let home = self.directory.join("clients").join(client_name(id, name));
                let path = home.join("client.toml");
                let text = format!(
                    "address      = \"{address}\"\norganization = \"{id}\"\nca           = \"ca.pem\"\n\
                     certificate  = \"cert.pem\"\nkey          = \"key.pem\"\n\n\
                     [log]\nkey  = \"audit.vkey\"\nseen = \"checkpoint.seen\"\n"
                );
                fs::write(&path, text).map_err(DeploymentError::io(&path))?;
                write_slot(&home, id, address)?;
                for (from, name) in [(&ca, "ca.pem"), (&self.configuration.audit_vkey, "audit.vkey")] {
                    let copy = home.join(name);
                    fs::copy(from, &copy).map_err(DeploymentError::io(&copy))?;
                }
            }
        }
        Ok(())
    }
}
