//! Starts brokers: fresh ones, and those that were stopped or killed.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command};
use std::time::Duration;

use super::folder::Folder;
use super::process::Process;
use super::waiting::wait;
use super::{Port, jars, java, probe, properties};

/// Longer than a start takes on a busy machine.
const START_MAX: Duration = Duration::from_secs(120);
/// How much of its log is shown of a broker that ended.
const LINES_SHOWN: usize = 20;

/// How a broker is started.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// Settings of the broker that come after those of all brokers.
    pub(crate) settings: Vec<(String, String)>,
    /// The memory of its heap, as Java writes it.
    pub(crate) heap: String,
    /// Whether it goes on when Ctrl-C on this call's terminal ends this call.
    pub(crate) apart: bool,
}

impl Default for Launch {
    fn default() -> Self {
        Launch { settings: Vec::new(), heap: "512m".into(), apart: true }
    }
}

/// Starts a broker that has nothing on it; gives its address once it answers. One that runs is an error.
pub(crate) fn start(port: Port, launch: &Launch) -> Result<SocketAddr, String> {
    let folder = Folder::of(port)?;
    let _claim = folder.claim()?.ok_or_else(|| being_started(port))?;
    if let Some(process) = Process::of(&folder) {
        let number = process.number();
        return Err(format!(
            "the broker on port {port} is running as process {number}, with its data: use it, or first `cargo xtask broker \
             stop --port {port}`"
        ));
    }
    if !port.is_free() {
        return Err(taken(port));
    }
    start_claimed(&folder, launch)
}

/// Starts a broker that has nothing on it, on a port that nobody uses.
pub(crate) fn start_anywhere(launch: &Launch) -> Result<Port, String> {
    for port in Port::others() {
        let folder = Folder::of(port)?;
        // Held while it starts: two calls at the same time find different ports.
        let Some(_claim) = folder.claim()? else { continue };
        // A broker that was killed keeps its port, because somebody may resume it.
        if !folder.path().exists() && port.is_free() {
            return start_claimed(&folder, launch).map(|_| port);
        }
    }
    Err("no two free ports follow each other: remove some of the brokers that `cargo xtask broker list` shows, with \
         `cargo xtask broker stop --remove --port N`"
        .into())
}

fn start_claimed(folder: &Folder, launch: &Launch) -> Result<SocketAddr, String> {
    java::check()?;
    let jars = jars::provide()?;
    folder.renew()?;
    write(folder, &properties::text(folder.port(), &folder.data(), &launch.settings))?;
    let mut format = java::java(&jars, "128m");
    format.arg("kafka.tools.StorageTool").args(["format", "--cluster-id", &cluster_id(), "--config"]);
    let formatted = format.arg(folder.properties()).output();
    let formatted = formatted.map_err(|error| format!("cannot run `java`: {error}; see that it works by itself"))?;
    if !formatted.status.success() {
        folder.remove()?;
        let said =
            String::from_utf8_lossy(&formatted.stdout).into_owned() + &String::from_utf8_lossy(&formatted.stderr);
        return Err(format!("Kafka refuses the settings of the broker; mend those of `--set`:\n{}", said.trim()));
    }
    run(folder, launch, &jars)
}

/// Starts a broker on the data that it left.
pub(crate) fn resume(port: Port, launch: &Launch) -> Result<SocketAddr, String> {
    let folder = Folder::of(port)?;
    let _claim = folder.claim()?.ok_or_else(|| being_started(port))?;
    if !folder.properties().exists() {
        return Err(format!("there was no broker on port {port}: `cargo xtask broker start --port {port}` makes one"));
    }
    if Process::of(&folder).is_some() {
        return Ok(port.broker());
    }
    if !port.is_free() {
        return Err(taken(port));
    }
    let jars = jars::provide()?;
    write(&folder, &properties::lines(&launch.settings))?;
    run(&folder, launch, &jars)
}

/// Adds to the settings of a broker.
fn write(folder: &Folder, text: &str) -> Result<(), String> {
    let path = folder.properties();
    let mut file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file
        .as_mut()
        .map_err(|error| error.to_string())
        .and_then(|file| file.write_all(text.as_bytes()).map_err(|error| error.to_string()));
    written.map_err(|error| format!("cannot write `{}`: {error}; see to its permissions", path.display()))
}

/// Starts the process and waits until it answers.
fn run(folder: &Folder, launch: &Launch, jars: &std::path::Path) -> Result<SocketAddr, String> {
    let mut command = java::java(jars, &launch.heap);
    if launch.apart {
        apart(&mut command);
    }
    command.arg("kafka.Kafka").arg(folder.properties());
    let mut child = spawn(&mut command, folder)?;
    Process::note(folder, child.id())?;
    let (port, address) = (folder.port(), folder.port().broker());
    let what = format!("starting Kafka {} on {address}", jars::version());
    let answered = wait(&what, START_MAX, || match (probe::answers(address), child.try_wait()) {
        (true, _) => Ok(Some(())),
        (false, Ok(None)) => Ok(None),
        (false, _) => Err(format!("the broker on port {port} ended while it started; {}", last_lines(folder))),
    })?;
    match answered {
        Some(()) => Ok(address),
        None => Err(format!(
            "the broker on port {port} did not answer within {} s; {}\n`cargo xtask broker kill --port {port}` ends it",
            START_MAX.as_secs(),
            last_lines(folder)
        )),
    }
}

/// A process that outlives this call.
fn spawn(command: &mut Command, folder: &Folder) -> Result<Child, String> {
    let log = OpenOptions::new().create(true).append(true).open(folder.log());
    let spawned = log.and_then(|log| {
        let errors = log.try_clone()?;
        command.stdout(log).stderr(errors).spawn()
    });
    spawned.map_err(|error| format!("cannot start `java`: {error}; see that it works by itself"))
}

/// Takes it out of the group of processes that a terminal's Ctrl-C reaches.
#[cfg(unix)]
fn apart(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn apart(_command: &mut Command) {}

/// Sixteen bytes of chance, as Kafka writes them: a client can see that this is another cluster.
fn cluster_id() -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let chance = || RandomState::new().build_hasher().finish();
    let number = u128::from(chance()) << 64 | u128::from(chance());
    // 22 digits of 6 bits are 132: the last digit holds 2 bits and four zeros.
    let digit = |at: u32| (number.rotate_left(6 * (at + 1)) & 63) as usize;
    let last = ((number & 3) << 4) as usize;
    let id: String = (0..21).map(digit).chain([last]).map(|digit| DIGITS[digit] as char).collect();
    // At the beginning it would be taken for an option.
    id.replace('-', "_")
}

fn being_started(port: Port) -> String {
    format!("the broker on port {port} is being started by another call: wait for that one, or choose another `--port`")
}

fn taken(port: Port) -> String {
    let (broker, controller) = (port.broker(), port.controller());
    format!("{broker} or {controller} is taken by another program: end that one, or choose another `--port`")
}

/// What a broker said last.
fn last_lines(folder: &Folder) -> String {
    let text = std::fs::read_to_string(folder.log()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES_SHOWN)..];
    format!("the end of `{}`:\n{}", folder.log().display(), last.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_clusters_are_those_of_kafka_and_differ() {
        let ids = [cluster_id(), cluster_id()];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            assert_eq!(id.len(), 22);
            assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{id}");
            assert!(id.ends_with(['A', 'Q', 'g', 'w']), "the last digit holds two bits: {id}");
        }
    }
}
