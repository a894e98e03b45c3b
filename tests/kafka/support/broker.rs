//! The broker that tests share, and brokers of their own for those that kill them.
//!
//! Tests run side by side: one that kills, resumes or stops a broker starts one for itself.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Where `cargo xtask broker start` starts one if nothing else is said.
const USUAL: &str = "127.0.0.1:19092";

/// The address of the broker that tests share.
pub(crate) fn brokers() -> &'static str {
    static BROKERS: OnceLock<String> = OnceLock::new();
    BROKERS.get_or_init(|| match std::env::var("KAFKA_BROKERS") {
        Ok(brokers) if !brokers.is_empty() => brokers,
        _ if TcpStream::connect(USUAL).is_ok() => USUAL.to_owned(),
        _ => panic!(
            "there is no broker on {USUAL} and `KAFKA_BROKERS` names none: run `cargo xtask broker start` first, or \
             `cargo xtask test`, which does it"
        ),
    })
}

/// A broker that one test has for itself. It is gone, with its data, when this is dropped.
pub(crate) struct OwnBroker {
    address: String,
}

impl OwnBroker {
    /// A fresh broker; each setting is `key=value`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let settings = settings.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["start", "--port", "any"].into_iter().chain(settings).collect();
        OwnBroker { address: broker(&arguments) }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&self) {
        broker(&["kill", "--port", self.port()]);
    }

    /// Stops it in peace.
    pub(crate) fn stop(&self) {
        broker(&["stop", "--port", self.port()]);
    }

    /// Starts it again on its data; returns when it answers.
    pub(crate) fn resume(&self) {
        broker(&["resume", "--port", self.port()]);
    }

    fn port(&self) -> &str {
        self.address.rsplit_once(':').expect("an address has a port").1
    }
}

impl Drop for OwnBroker {
    fn drop(&mut self) {
        // A panic here would hide what the test found.
        let _ = call(&["kill", "--remove", "--port", self.port()]).output();
    }
}

/// Has `cargo xtask broker` do something, and gives what it printed.
fn broker(arguments: &[&str]) -> String {
    let output = call(arguments).output().expect("cargo can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "`broker {}`: {}", arguments.join(" "), text(&output.stderr));
    text(&output.stdout)
}

fn call(arguments: &[&str]) -> Command {
    // `cargo xtask test` says which program it is: that is quicker than to have cargo look for it.
    let mut command = match std::env::var_os("TIDEMILL_XTASK") {
        Some(xtask) => Command::new(xtask),
        None => {
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.arg("xtask");
            cargo
        }
    };
    command.arg("broker").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command
}
