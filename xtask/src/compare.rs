//! Measures tidemill and Kafka Streams in turn, on one broker and the same data.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::broker::{Launch, home};
use crate::kafka::Given;
use crate::step::{cargo, root};

/// The variable that has options of the Java machine that runs Kafka Streams, and what they are unless it says so.
const JAVA: &str = "TIDEMILL_PEER_JAVA";
const JAVA_OPTIONS: &str = "-Xmx2g";
/// Kafka's client says much that nobody measures.
const QUIET: &str = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error";
/// A broker that is measured with needs more than one that is tested with.
const HEAP: &str = "1g";

/// Builds both, gives them a broker and runs the comparison with these flags of `tidemill-bench`. Says whether all that they put
/// out was right.
pub(crate) fn run(flags: &[OsString]) -> Result<bool, String> {
    let peer = build_peer()?;
    let given = Given::provide(Launch { heap: HEAP.into(), ..Launch::default() })?;
    let mut bench = cargo();
    bench.current_dir(root()).args(["run", "--quiet", "--release", "--package", "tidemill-benches"]);
    bench.args(["--features", "kafka", "--bin", "tidemill-bench", "--", "--driver", "broker"]);
    bench.args(["--bootstrap", &given.brokers(), "--against", &peer]).args(flags);
    let status = bench.stdin(Stdio::null()).status().map_err(|error| format!("cannot run cargo: {error}"))?;
    Ok(status.success())
}

/// The command that runs Kafka Streams.
fn build_peer() -> Result<String, String> {
    let out = folder()?;
    let pom = root().join("benches").join("peers").join("pom.xml");
    eprintln!("building Kafka Streams' side with Maven, in `{}`", out.display());
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(pom).arg(format!("-Dpeers.out={}", out.display()));
    let status = maven.arg("package").stdin(Stdio::null()).status();
    let status = status.map_err(|error| {
        format!("cannot run `mvn`: {error}; install Maven and Java 17 (Debian, Ubuntu: `apt-get install maven`)")
    })?;
    if !status.success() {
        return Err("Maven could not build `benches/peers`: mend what it says".into());
    }
    let options = std::env::var(JAVA).unwrap_or_else(|_| JAVA_OPTIONS.into());
    let (jar, libraries) = (out.join("build").join("peers.jar"), out.join("libs").join("*"));
    Ok(format!("java {options} {QUIET} -cp {}:{} peers.Engine", jar.display(), libraries.display()))
}

/// Where it is built, for every checkout.
fn folder() -> Result<PathBuf, String> {
    let kafka = home()?;
    Ok(kafka.parent().ok_or("Kafka lies in no folder")?.join("peers"))
}
