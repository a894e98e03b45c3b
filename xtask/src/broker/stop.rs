//! Ends brokers, in peace or not.

use std::time::Duration;

use super::Port;
use super::folder::Folder;
use super::process::{Process, Signal};
use super::waiting::wait;

/// Longer than a broker takes to write what it has and leave.
const STOP_MAX: Duration = Duration::from_secs(60);

/// Longer than a system takes to close what an ended process had open.
const SOCKETS_MAX: Duration = Duration::from_secs(5);

/// How a broker is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether it gets no time to do anything.
    pub(crate) at_once: bool,
    /// Whether its data goes too.
    pub(crate) remove: bool,
}

/// Ends a broker and waits until it is gone. One that does not run is fine.
pub(crate) fn stop(port: Port, end: End) -> Result<(), String> {
    let folder = Folder::of(port)?;
    if let Some(process) = Process::of(&folder) {
        let signal = if end.at_once { Signal::Kill } else { Signal::Term };
        process.signal(signal)?;
        if !is_gone(process, &folder) {
            process.signal(Signal::Kill)?;
            if !is_gone(process, &folder) {
                return Err(format!("process {} does not end; see what holds it, then try again", process.number()));
            }
        }
    }
    if end.remove { folder.remove() } else { Ok(()) }
}

fn is_gone(process: Process, folder: &Folder) -> bool {
    let port = folder.port();
    let what = format!("waiting for the end of the broker on port {port}");
    let gone = wait(&what, STOP_MAX, || Ok::<_, ()>((!process.runs(folder)).then_some(())));
    // A process loses its name before its sockets. If somebody else has taken the port by now, that is not for this call to say.
    let _ = wait(&what, SOCKETS_MAX, || Ok::<_, ()>(port.is_free().then_some(())));
    gone == Ok(Some(()))
}
